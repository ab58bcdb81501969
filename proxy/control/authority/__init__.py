"""REQUEST FOR A CERTIFICATE -> IDENTITY: the certificate authority of one mesh, run by its control plane.

In: signed requests from proxies, with something that shows who they are. Out: X.509-SVIDs of hours, the roots to trust,
signed lists of what not to. What decides is pure: the time comes as an argument, the ledger (SQLite) is its only file.
"""
