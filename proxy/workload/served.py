"""What an application may have now, and whoever waits for the next.

In: certificates as they are granted, roots as snapshots name them. Out: messages of the Workload API, each newer one as
soon as there is one. Threads write, the event loop reads.
"""

from __future__ import annotations

import asyncio
from binascii import a2b_base64
from collections.abc import AsyncIterator, Callable

from proxy.workload.key import ApplicationKey
from proxy.workload.messages import Svid, bundles, svids


class Served:
    """One application's identities; `changed` may be called from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._newer = asyncio.Event()
        self._held: dict[str, tuple[str, ApplicationKey, list[bytes]]] = {}
        self._roots = b""
        self._crls: list[bytes] = []
        self._domain = ""

    def grant(self, service: str, uri: str, key: ApplicationKey, chain: list[bytes]) -> None:
        """A certificate to have, in the place of the one before."""
        self._loop.call_soon_threadsafe(self._take, service, (uri, key, chain))

    def believe(self, domain: str, roots: list[str], crls: list[bytes]) -> None:
        """The roots to believe, in base64, and the lists of what not to, in DER."""
        self._loop.call_soon_threadsafe(self._trust, domain, b"".join(map(a2b_base64, roots)), crls)

    def identities(self) -> AsyncIterator[bytes]:
        """`X509SVIDResponse`s, from now on; none while there is nothing to have."""
        return self._each(self._svids)

    def bundles(self) -> AsyncIterator[bytes]:
        """`X509BundlesResponse`s, from now on."""
        return self._each(self._bundles)

    async def _each(self, say: Callable[[], bytes]) -> AsyncIterator[bytes]:
        last = b""
        while True:
            newer, said = self._newer, say()
            if said not in (last, b""):
                last = said
                yield said
            await newer.wait()

    def _bundles(self) -> bytes:
        return bundles({f"spiffe://{self._domain}": self._roots}, self._crls) if self._roots else b""

    def _svids(self) -> bytes:
        if not self._roots:
            return b""
        held = self._held.values()
        return svids([Svid(uri, b"".join(chain), key.pkcs8(), self._roots) for uri, key, chain in held], self._crls)

    def _take(self, service: str, held: tuple[str, ApplicationKey, list[bytes]]) -> None:
        self._held[service] = held
        self._wake()

    def _trust(self, domain: str, roots: bytes, crls: list[bytes]) -> None:
        self._domain, self._roots, self._crls = domain, roots, crls
        self._wake()

    def _wake(self) -> None:
        self._newer.set()
        self._newer = asyncio.Event()
