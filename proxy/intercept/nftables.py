"""Interception as a table of nftables, put in place of the one before in one step.

Source: nft(8), statements `redirect` and `meta skuid`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxy.intercept.interception import Family, Interception, Listening

TABLE = "inet whymesh"
# Deleting a table that is not there is an error, so it is made first.
REMOVAL = f"add table {TABLE}\ndelete table {TABLE}\n"


def ruleset(wanted: Interception) -> str:
    """The input of `nft -f` that leaves these rules and none of ours from before."""
    chains = []
    if wanted.outbound:
        chains.append(_chain("outbound", "nat", "output", -100, _outbound(wanted, wanted.outbound)))
    if wanted.inbound:
        chains.append(_chain("inbound", "nat", "prerouting", -100, _inbound(wanted, wanted.inbound)))
    if wanted.guarded_port:
        drop = f'iifname != "lo" tcp dport {wanted.guarded_port} drop'
        chains.append(_chain("guard", "filter", "input", 0, [drop]))
    return f"{REMOVAL}table {TABLE} {{\n{''.join(chains)}}}\n"


def _chain(name: str, kind: str, hook: str, priority: int, rules: Iterable[str]) -> str:
    lines = [f"type {kind} hook {hook} priority {priority}; policy accept;", *rules]
    return f"\tchain {name} {{\n" + "".join(f"\t\t{line}\n" for line in lines) + "\t}\n"


def _outbound(wanted: Interception, to: Listening) -> Iterator[str]:
    yield f"meta skuid {wanted.user} return"
    yield from _others(to.families)
    for family in to.families:
        yield f"{family} daddr {{ {', '.join(wanted.skipped(family))} }} return"
    if wanted.skip_ports:
        yield f"tcp dport {_set(wanted.skip_ports)} return"
    yield f"meta l4proto tcp redirect to :{to.port}"


def _inbound(wanted: Interception, to: Listening) -> Iterator[str]:
    yield from _others(to.families)
    yield f"tcp dport {_set(wanted.app_ports)} redirect to :{to.port}"


def _others(families: tuple[Family, ...]) -> Iterator[str]:
    """Leaves alone what could not arrive."""
    if len(families) == 1:
        yield f"meta nfproto {'ipv6' if families == ('ip',) else 'ipv4'} return"


def _set(ports: Iterable[int]) -> str:
    return f"{{ {', '.join(map(str, ports))} }}"
