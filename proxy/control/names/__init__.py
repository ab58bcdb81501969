"""The DNS door: names of services for applications that know nothing of a mesh.

In: DNS queries over UDP and TCP. Out: addresses of services as of the registry in force; whatever else is asked goes to
the resolvers that were there before.
"""
