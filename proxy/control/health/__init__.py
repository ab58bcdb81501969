"""Whether instances can serve: asked of them in turn, or told by them.

In: the instances in force and how each is to be checked. Out: those to leave out of snapshots, with the reason.
"""
