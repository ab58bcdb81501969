"""Puts a proxy into Pods as they are created (a mutating admission webhook).

In: AdmissionReviews of the API server. Out: JSON Patches. Never: a Pod that is refused; one that cannot have a proxy
starts without, and whoever made it is told why.
"""
