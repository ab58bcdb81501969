"""A proving ground: faults and benign changes in generated systems, other than those the engine was made on."""
