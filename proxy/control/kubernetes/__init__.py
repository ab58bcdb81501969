"""Kubernetes as a source of the mesh's documents.

In: Services, EndpointSlices, Pods, routes of the Gateway API and our own kinds, listed and watched. Out: a file of
documents, which the control plane follows as any other. Never: a file with a mistake in it; an object that would be one
is left out, and named.
"""
