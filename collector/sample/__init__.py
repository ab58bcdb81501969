"""SPANS -> THOSE THAT MATTER: tail sampling, between the log and the store."""
