"""VERDICT -> FINDING: the proof sheet that people and programs read."""
