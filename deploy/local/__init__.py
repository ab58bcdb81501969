"""The parts of a mesh on one machine: which there are, started, watched and stopped as one."""
