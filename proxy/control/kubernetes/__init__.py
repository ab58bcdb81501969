"""Kubernetes as a source of the mesh's documents.

In: Services, EndpointSlices, Pods, routes of the Gateway API and our own kinds, listed and watched. Out: documents,
which the control plane takes as it takes those of files. Never: one with a mistake in it; an object that would be one
is left out, and named.
"""
