"""A shop of small services to run the mesh on, with load and faults."""
