"""Makes the kernel redirect an application's connections to the proxy beside it, and stop doing so.

In: where the proxy listens and as whom it runs. Out: rules of nftables or iptables. Never: the proxy's own connections,
loopback, or a rule that is not ours.
"""
