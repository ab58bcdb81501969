"""Resolvers that know the names of others.

In: a query. Out: what one of them said. Never: more than so many questions at once; an answer to another question.
"""

from __future__ import annotations

import copy
import logging
import secrets
from collections.abc import Sequence
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode

from proxy.control.names.answer import failure, passed_on

log = logging.getLogger("whymesh.control")

RESOLV_CONF = Path("/etc/resolv.conf")
AT_ONCE = 256
_PATIENCE_S = 2.0


class Upstreams:
    """Asks resolvers in turn, each for two seconds at most."""

    def __init__(self) -> None:
        self._asking = 0

    async def ask(self, query: dns.message.QueryMessage, resolvers: Sequence[str], over_tcp: bool) -> bytes:
        """The response to pass on: REFUSED where there is no resolver, SERVFAIL where none answers."""
        if not resolvers:
            return failure(query, dns.rcode.REFUSED, over_tcp)
        if self._asking >= AT_ONCE:
            return failure(query, dns.rcode.SERVFAIL, over_tcp)
        self._asking += 1
        try:
            return await self._first(query, resolvers, over_tcp)
        finally:
            self._asking -= 1

    async def _first(self, query: dns.message.QueryMessage, resolvers: Sequence[str], over_tcp: bool) -> bytes:
        asked = copy.copy(query)
        asked.id = secrets.randbits(16)  # nobody is to guess it from the client's
        for resolver in resolvers:
            host, _, port = resolver.rpartition(":")
            try:
                if over_tcp:
                    response = await dns.asyncquery.tcp(asked, host.strip("[]"), _PATIENCE_S, int(port))
                else:
                    response = await dns.asyncquery.udp(
                        asked, host.strip("[]"), _PATIENCE_S, int(port), ignore_unexpected=True, ignore_errors=True
                    )
            except (OSError, EOFError, dns.exception.DNSException) as error:
                log.warning("resolver %s: %s", resolver, str(error) or type(error).__name__)
                continue
            return passed_on(response, query, over_tcp)
        return failure(query, dns.rcode.SERVFAIL, over_tcp)


def resolvers_of(file: Path, ours: str) -> tuple[str, ...]:
    """The `nameserver` lines of resolv.conf(5) as host:port, without our own door."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    words = (line.split() for line in lines)
    hosts = (line[1].partition("%")[0] for line in words if len(line) > 1 and line[0] == "nameserver")
    found = (f"[{host}]:53" if ":" in host else f"{host}:53" for host in hosts)
    return tuple(resolver for resolver in found if resolver != ours)
