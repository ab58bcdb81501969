"""Runs the authority that the configuration asks for, as long as it asks for one.

In: the configuration in force, requests, the clock. Out: certificates, and what the proxies are to trust as a new epoch
whenever that changes. Never: a file where no authority is configured.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proxy.control.authority.audit import Audit, Event, Report
from proxy.control.authority.authority import Authority
from proxy.control.authority.desk import Desk, Grant, Wish
from proxy.control.authority.errors import AuthorityError, LedgerUnusable, Refused
from proxy.control.authority.guests import why_not
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.members import not_of, standing
from proxy.control.authority.own_door import OwnDoor
from proxy.control.authority.passes import Passes
from proxy.control.authority.report import report_of
from proxy.control.authority.review import Account, Ask, is_account_token, review
from proxy.control.authority.rotation import Standing
from proxy.control.authority.safe import Safe
from proxy.control.authority.terms import Terms
from proxy.control.authority.turned import turned
from proxy.control.epochs.in_force import InForce
from proxy.control.publish import Publisher
from proxy.control.trust import Trust

log = logging.getLogger("whymesh.control")

_LOOK_S = 0.5
_ACTOR = "the authority"


class Office:
    """The authority of one control plane; all methods run on the event loop."""

    def __init__(
        self,
        safe: Safe,
        publisher: Publisher,
        in_force: InForce,
        report: Report,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        door: OwnDoor | None = None,
        ask: Ask | None = None,
    ) -> None:
        """`door` is where proxies are served over TLS, `ask` has a cluster review the tokens of its pods."""
        self._safe, self._door, self._ask = safe, door, ask
        self._publisher, self._in_force = publisher, in_force
        self._audit, self._report, self._clock = Audit(safe.folder, report), report, clock
        self._authority: Authority | None = None

    async def serve(self, proxy: str, wish: Wish, caller: str) -> Grant | None:
        """A certificate for a proxy; None where there is no authority; raises Refused, UnknownProxy."""
        if self._authority is None:
            return None
        account = await self._account(wish.token or "") if wish.proof is None else None
        desk = Desk(self._authority, self._audit)
        return desk.serve(self._publisher.registry, proxy, wish, caller, self._clock(), account)

    async def why_not(self, proxy: str | None, shown: bytes | None, token: str) -> str | None:
        """Why whoever shows this over TLS gets nothing that is for a proxy (`guests.why_not`)."""
        account = await self._account(token) if shown is None else None
        if self._authority is None:
            return "this mesh has no authority any more"
        if account is None:
            return why_not(self._authority.ledger, proxy, shown, token, self._clock())
        if isinstance(account, Refused) or proxy is None:
            return str(account) if isinstance(account, Refused) else None
        return not_of(self._publisher.registry, account, proxy)

    async def _account(self, token: str) -> Account | Refused | None:
        """What the cluster says of a token, where it is one of its own and there is a cluster to ask."""
        if self._ask is None or not is_account_token(token):
            return None
        try:
            return await review(self._ask, token)
        except Refused as refused:
            return refused

    def now(self) -> float:
        """The time by which it issues, in seconds since 1970."""
        return self._clock().timestamp()

    def shown(self) -> dict[str, Any] | None:
        """The state of the authority, for people."""
        if self._authority is None:
            return None
        return report_of(self._authority, self._standing(), self._clock())

    async def tend(self) -> None:
        """Does what is due, and has the proxies told of it; raises LedgerUnusable."""
        self._follow_configuration()
        if self._authority is None:
            await self._believe(None)
            return
        self._authority.refresh()
        now = self._clock()
        await self._tell(self._authority)  # what another process did: nobody has acknowledged that yet
        if self._in_force.leads:
            for done in self._authority.rotation.tend(now, self._standing()):
                self._audit.write(Event("rotate", _ACTOR, done), now)
            self._authority.lists.sign(now)
        await self._tell(self._authority)
        if self._door is not None and self._safe.folder is not None:
            try:
                self._door.tend(self._authority, self._safe.folder, now)
            except Refused as refused:  # what has a certificate goes on; this must not keep the mesh from starting
                self._publisher.refuse([f"the control plane gets no certificate for --tls: {refused}"])

    async def follow(self) -> None:
        """Tends for as long as the control plane runs; what goes wrong is told and tried again."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self.tend()
            except (AuthorityError, OSError) as error:
                self._publisher.refuse([f"the authority: {error}"])
                log.error("the authority: %s", error)
                await asyncio.sleep(_LOOK_S * 10)

    def close(self) -> None:
        """Lets go of the ledger."""
        if self._authority is not None:
            self._authority.ledger.close()
            self._authority = None

    def _follow_configuration(self) -> None:
        mesh = self._publisher.registry.mesh.spec
        if mesh.authority is None:
            self.close()
            return
        terms = Terms(mesh.authority.lifetime, mesh.authority.issuer_lifetime, mesh.authority.root_lifetime)
        if self._authority is not None and self._authority.domain == mesh.trust_domain:
            self._authority.take(terms)
            return
        if self._safe.folder is None:
            raise LedgerUnusable("Mesh: spec.authority: needs a folder to keep its keys; start with --state FOLDER")
        ledger = Ledger(self._safe.folder, mesh.trust_domain, self._safe.secret)
        self.close()
        self._authority = Authority(ledger, mesh.trust_domain, terms, self._clock())
        if self._safe.node_key is not None:
            self._let_in(self._safe.node_key, ledger)

    def _let_in(self, path: Path, ledger: Ledger) -> None:
        """Writes a node key, unless there is one that is good."""
        passes = Passes(ledger)
        kept = path.read_text().strip() if path.exists() else ""
        if any(one.id == kept.split(".")[1] for one in passes.every() if kept.count(".") == 2 and not one.revoked):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        made = passes.make("node", None, self._clock(), None)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w") as sink:
            sink.write(made + "\n")
        said = f"a node key for every proxy is in {path}"
        self._audit.write(Event("token", _ACTOR, said), self._clock())

    async def _tell(self, authority: Authority) -> None:
        roots = tuple(_text(root) for root in authority.bundle())
        crls = tuple((_text(issuer), _text(crl)) for issuer, crl in authority.lists.told())
        await self._believe(Trust(authority.domain, roots, crls))

    async def _believe(self, trust: Trust | None) -> None:
        before = self._publisher.registry.trust
        if trust == before:
            return
        await self._in_force.believe(trust, _ACTOR)
        if before is not None:
            self._report(turned(before, trust), _ACTOR)

    def _standing(self) -> Standing:
        """Proxies that do not serve what they have to count as late."""
        return standing(self._publisher.registry, self._publisher.current())


def _text(der: bytes) -> str:
    return base64.b64encode(der).decode()
