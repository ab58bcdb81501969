"""What is known of the mesh beside what is written: instances that registered themselves, and how instances are.

In: registrations over HTTP, the results of health checks. Out: what to add to the written configuration, and which
instances to leave out of it.
"""
