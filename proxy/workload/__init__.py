"""IDENTITY -> APPLICATION: the SPIFFE Workload API, by which an application has a certificate of its own.

In: a join, as a proxy's. Out: X.509-SVIDs and roots over gRPC on a Unix socket, pushed whenever they change.
"""
