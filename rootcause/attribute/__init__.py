"""Who added what: own time, own errors, links and steps, each compared with normal."""
