"""Fetches the key sets that RequestAuthentications name by URL, again and again.

In: URLs of the registry in force, JSON Web Key Sets over HTTPS. Out: the last good text of each, kept on disk too, so
that a restart while an issuer is away forgets no key. Never: a set without a key that proxies can use.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from proxy.control.documents import RequestAuthentication
from proxy.control.documents.key_set import key_set
from proxy.control.registry import Registry

log = logging.getLogger("whymesh.control")

LONGEST = 256 * 1024
PATIENCE_S = 10.0
AGAIN_S = 5.0
"""After a failure, so that an issuer that was away is asked again before its refresh."""


@dataclass
class KeySets:
    """The last good text by URL; `problems` says why the newest could not be had."""

    path: Path | None = None
    known: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    _wanted: dict[str, float] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def kept(cls, path: Path | None) -> KeySets:
        """Those of an earlier process; raises ValueError when the file is not one of ours."""
        if path is None or not path.exists():
            return cls(path)
        try:
            known = json.loads(path.read_text())
            return cls(path, {str(url): str(text) for url, text in known.items()})
        except (ValueError, AttributeError) as error:
            raise ValueError(f"{path}: not a file this control plane wrote ({error}); remove it") from error

    def follow(self, registry: Registry) -> None:
        """Fetches what this registry names, from now on."""
        wanted: dict[str, float] = {}
        for document in registry.of(RequestAuthentication):
            for issuer in document.spec.issuers:
                if issuer.jwks_url:
                    every_s = issuer.refresh / 1_000
                    wanted[issuer.jwks_url] = min(every_s, wanted.get(issuer.jwks_url, every_s))
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def run(self, changed: Callable[[Mapping[str, str]], Awaitable[None]]) -> None:
        """Runs until it is cancelled; tells of each change of what is known and wanted."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session:
            while True:
                self._changed.clear()
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(self._keep(session, url, every_s, changed))
                        for url, every_s in self._wanted.items()
                    ]
                    await self._changed.wait()
                    for task in tasks:
                        task.cancel()

    async def _keep(
        self,
        session: aiohttp.ClientSession,
        url: str,
        every_s: float,
        changed: Callable[[Mapping[str, str]], Awaitable[None]],
    ) -> None:
        while True:
            try:
                text = await fetch(session, url)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                why = str(error) or type(error).__name__
                if self.problems.get(url) != why:
                    stays = "the last one stays" if url in self.known else "its tokens are refused"
                    log.error("key set %s: %s; %s", url, why, stays)
                self.problems[url] = why
                await asyncio.sleep(min(AGAIN_S, every_s))
                continue
            self.problems.pop(url, None)
            if self.known.get(url) != text:
                self._learn(url, text)
                await changed(dict(self.known))
            await asyncio.sleep(every_s * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, hides nothing

    def _learn(self, url: str, text: str) -> None:
        """Keeps what is still wanted, whole or not at all."""
        self.known = {known: it for known, it in self.known.items() if known in self._wanted} | {url: text}
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(self.known))
            fresh.replace(self.path)


async def fetch(session: aiohttp.ClientSession, url: str) -> str:
    """The key set at a URL; raises ValueError when it is none that proxies can use, or aiohttp.ClientError."""
    async with session.get(url, allow_redirects=False) as response:
        if response.status != 200:
            raise ValueError(f"answered {response.status}, expected 200")
        body = await response.content.read(LONGEST + 1)
        while len(body) <= LONGEST and (more := await response.content.read(LONGEST + 1 - len(body))):
            body += more
    if len(body) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} bytes")
    return key_set(body.decode("utf-8"))
