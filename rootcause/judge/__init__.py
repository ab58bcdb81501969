"""SHIFTS -> VERDICT: who did it, how surely, and who else it might be."""
