"""What users feel: entry points that became slow or fail. Silent when nothing is wrong."""
