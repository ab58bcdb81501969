"""Answers one proxy that wants a certificate: who is it, may it, is the request in order; then it is issued.

In: a `Wish`. Out: a `Grant`, or Refused; either is in the audit log before anybody hears of it.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from proxy.control.authority.audit import Audit, Event
from proxy.control.authority.authority import Authority, Issued
from proxy.control.authority.errors import Refused
from proxy.control.authority.members import APPLICATION, identity
from proxy.control.authority.passes import Passes
from proxy.control.authority.proofs import Proofs, message_of
from proxy.control.authority.requests import key_bytes, requested_key
from proxy.control.authority.review import Account
from proxy.control.errors import UnknownProxy
from proxy.control.registry import Registry


def _from_base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("expected base64")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"expected base64: {error}") from None


Base64 = Annotated[bytes, BeforeValidator(_from_base64)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Proof(_Said):
    """The certificate that a proxy has, and the new request signed by its key (`proofs.message_of`)."""

    certificate: Base64
    signature: Base64


class Wish(_Said):
    """What a proxy sends: it joins with a token or node key, or renews with a proof."""

    service: str = Field(max_length=300)
    csr: Base64
    token: str | None = Field(default=None, max_length=8_192)
    proof: Proof | None = None
    application: bool = False
    """For the application beside the proxy, which has the same name and another key."""


class Grant(BaseModel):
    """What it gets; DER in base64, times in seconds since 1970."""

    chain: list[str]
    bundle: list[str]
    not_after: float
    renew_at: float
    now: float


class Desk:
    """Serves the proxies of one authority."""

    def __init__(self, authority: Authority, audit: Audit) -> None:
        self._authority, self._audit = authority, audit
        self._passes, self._proofs = Passes(authority.ledger), Proofs(authority.ledger)

    def serve(
        self,
        registry: Registry,
        proxy: str,
        wish: Wish,
        caller: str,
        now: datetime,
        account: Account | Refused | None = None,
    ) -> Grant:
        """A certificate for whoever may have it; raises Refused, UnknownProxy.

        `account` is what a cluster says of the token, where that is not one of ours.
        """
        what: Literal["join", "renew"]
        try:
            uri = identity(registry, proxy, wish.service)
            key = requested_key(wish.csr, uri)
            if isinstance(account, Account):
                what, shown = "join", account.check(proxy, uri, gateway=registry.proxy(proxy).gateway is not None)
            elif account is not None:
                raise account
            else:
                what, shown = self._shown(wish, proxy, uri, key_bytes(key), now)
            issued = self._authority.issue(_holder(wish, proxy), uri, key, now)
        except (Refused, UnknownProxy) as error:
            code = error.code if isinstance(error, Refused) else "unknown_proxy"
            said = f"{proxy[:80]} gets no certificate on {wish.service[:80]}: {error}"
            self._audit.write(Event("refuse", caller, said, proxy[:80], wish.service[:80], code=code), now)
            raise
        verb = "joined" if what == "join" else "renewed"
        summary = f"{_holder(wish, proxy)} {verb} as {uri} with {shown}, until {issued.not_after:%F %T} UTC"
        self._audit.write(Event(what, caller, summary, proxy, wish.service, issued.serial), now)
        return _grant(issued, now)

    def _shown(
        self, wish: Wish, proxy: str, uri: str, key: bytes, now: datetime
    ) -> tuple[Literal["join", "renew"], str]:
        """How it came, and what it came with."""
        if wish.proof is not None:
            message = message_of(proxy, wish.csr)
            shown = (wish.proof.certificate, wish.proof.signature, message)
            serial = self._proofs.check(*shown, _holder(wish, proxy), uri, now)
            return "renew", f"the certificate {serial}"
        if wish.token is None:
            raise Refused("nothing_shown", "there is neither a token nor a certificate that it has already")
        return "join", f"the token or node key {self._passes.admit(wish.token, proxy, uri, key, now)}"


def _holder(wish: Wish, proxy: str) -> str:
    """Whose certificate it is, in the ledger."""
    return proxy + APPLICATION if wish.application else proxy


def _grant(issued: Issued, now: datetime) -> Grant:
    return Grant(
        chain=[base64.b64encode(one).decode() for one in issued.chain],
        bundle=[base64.b64encode(one).decode() for one in issued.bundle],
        not_after=issued.not_after.timestamp(),
        renew_at=issued.renew_at.timestamp(),
        now=now.timestamp(),
    )
