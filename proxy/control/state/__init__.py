"""CONFIGURATION -> HISTORY: what the control plane must know after a restart, in one SQLite file.

In: each epoch with what it changed and who did it. Out: the same again; a process that begins anew, or beside another
one, starts from there.
"""
