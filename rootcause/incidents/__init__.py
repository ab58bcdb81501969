"""FINDING -> INCIDENT: one for one cause, with its life, what people said of it, and its place in the store."""
