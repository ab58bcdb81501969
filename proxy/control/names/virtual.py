"""An address for each service that has none, for connections that are redirected to the proxy beside their client.

In: the names of services, a network. Out: one address of it for each. Pure: a name has the same address wherever and
whenever it is worked out, so that nothing has to be kept; of two names that would have the same, which is rare, the
later in the order of names has the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network


def virtual_addresses(names: Iterable[str], network: IPv4Network | IPv6Network) -> dict[str, IPv4Address | IPv6Address]:
    """The address of each name; the first and the last of the network are nobody's.

    Names for which there is no room have none.
    """
    room = network.num_addresses - 2
    taken: dict[int, str] = {}
    for name in sorted(set(names)):
        if len(taken) == room:
            break
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16]) % room
        while place in taken:
            place = (place + 1) % room
        taken[place] = name
    return {name: network[place + 1] for place, name in taken.items()}
