"""Keeps the certificates of a proxy's services valid: asks the control plane, hands them to the engine, asks again.

In: the identities that a snapshot names, a token or node key, answers of the authority. Out: a key and chain for each
service, the same sealed on disk where there is a secret. Never: gives up what is valid; or stops trying.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy.renewal import Renewal, clock_offset
from proxy.saved_identity import Held, SavedIdentities

if TYPE_CHECKING:
    from proxy._engine import Key
    from proxy.subscribe import ControlPlane

log = logging.getLogger("whymesh.proxy")

_LOOK_S = 1.0
_OFFSET_S = 2.0
"""A clock that is wrong by less is not worth a word."""
_TOLERATED_S = 300.0
"""Certificates hold from so long before they are made."""
Identify = Callable[[str, "Key", list[bytes]], None]


def uptime() -> float:
    """Seconds since the machine started, those asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Identities:
    """The identities of one proxy; `want` tells which, `run` gets and keeps them."""

    def __init__(
        self,
        control: ControlPlane,
        key: type[Key],
        join: Path | None,
        saved: SavedIdentities,
        stop: threading.Event,
        clock: Callable[[], float] = uptime,
    ) -> None:
        """`join` is a file with a token or the key of a node."""
        self._control, self._key, self._join = control, key, join
        self._saved, self._stop, self._clock = saved, stop, clock
        self._identify: Identify | None = None
        self._wanted: dict[str, str] = {}
        self._denied: set[str] = set()
        self.roots: list[str] = []
        """Those of this mesh that the last snapshot names, in base64; the first one signs."""
        self._changed = threading.Event()
        self.held: dict[str, Held] = {}
        self.renewals: dict[str, Renewal] = {}
        self.renewed = self.failed = 0
        self.offset_s = 0.0
        self.problem = ""
        """Why there is a service without a valid certificate, for people."""

    def restored(self, snapshot: Mapping[str, Any]) -> dict[str, tuple[Key, list[bytes]]]:
        """What an earlier process of this proxy had for the workloads of a snapshot: an engine can start with it."""
        self._expect(snapshot)
        self._restore()
        return {service: (held.key, held.chain) for service, held in self.held.items()}

    def want(self, identify: Identify, snapshot: Mapping[str, Any], denied: Iterable[str] = ()) -> None:
        """Takes what a snapshot says: who its workloads are, which root signs now, and whose certificate is denied."""
        self._expect(snapshot)
        self._identify, self._denied = identify, set(denied)
        self._changed.set()

    def _expect(self, snapshot: Mapping[str, Any]) -> None:
        workloads = snapshot.get("workloads", ())
        self._wanted = {one["node"]["service"]: one["identity"] for one in workloads if one.get("identity")}
        domains = snapshot.get("trust", {}).get("domains", {})
        domain = next((name.split("/")[2] for name in self._wanted.values()), "")
        self.roots = list(domains.get(domain, ()))

    def complete(self) -> bool:
        """True when every service that needs a certificate has one that is valid."""
        now = self._clock()
        good = (name for name, renewal in self.renewals.items() if name not in self._denied and renewal.valid(now))
        return self._wanted.keys() <= set(good)

    def run(self) -> None:
        """Renews until stopped."""
        while not self._stop.is_set():
            self._changed.wait(_LOOK_S)
            self._changed.clear()
            for service, uri in list(self._wanted.items()):
                self._tend(service, uri)

    def _tend(self, service: str, uri: str) -> None:
        now = self._clock()
        renewal = self.renewals.setdefault(service, Renewal(now))
        held = self.held.get(service)
        if held and held.uri != uri:
            del self.held[service]
            renewal.due = now
        elif held and self._is_superseded(service, held) and not renewal.failures:
            renewal.hurry(now)
        if now < renewal.due or self._stop.is_set():
            return
        try:
            self._renew(service, uri, renewal)
            self.problem = ""
        except (OSError, ValueError, KeyError) as error:
            renewal.failed(self._clock())
            self.failed += 1
            left_s = renewal.ends - self._clock()
            good_for = "is denied" if service in self._denied else f"is good for {left_s / 60:.0f} more minutes"
            still = f"the one it has {good_for}" if left_s > 0 else "it has none"
            self.problem = f"no certificate as {uri}: {error or type(error).__name__}; {still}"
            log.warning("%s", self.problem)

    def _is_superseded(self, service: str, held: Held) -> bool:
        """Another root signs now, or it is denied: then nobody believes it, whoever shows it."""
        return service in self._denied or bool(self.roots and self.roots[0] != held.root)

    def _renew(self, service: str, uri: str, renewal: Renewal) -> None:
        key = self._key()
        csr = key.csr([uri])
        wish: dict[str, Any] = {"service": service, "csr": _text(csr), **self._shown(service, renewal, csr)}
        asked = time.time()
        answer = self._control.identity(json.dumps(wish))
        if "proof" in wish and answer.get("code", "").startswith("proof_") and (token := self.token()):
            del wish["proof"]
            answer = self._control.identity(json.dumps({**wish, "token": token}))
        skew = self._skew(answer["now"], asked, time.time()) if "now" in answer else ""
        if "error" in answer:
            raise ValueError("; ".join(filter(None, (f"the control plane says: {answer['error']}", skew))))
        self._warn(skew, answer["not_after"])
        chain = [a2b_base64(one) for one in answer["chain"]]
        held = Held(uri, key, chain, answer["bundle"][0], answer["not_after"], answer["renew_at"])
        self._take(service, held)
        renewal.granted(self._clock(), answer["renew_at"] - answer["now"], answer["not_after"] - answer["now"])
        self._saved.keep(service, held)
        self.renewed += 1
        log.info("%s has a certificate for %.0f minutes", uri, (answer["not_after"] - answer["now"]) / 60)

    def _shown(self, service: str, renewal: Renewal, csr: bytes) -> dict[str, Any]:
        """The certificate that is held while it is valid, a token or node key else."""
        held = self.held.get(service)
        if held and renewal.valid(self._clock()):
            signature = held.key.sign(b"whymesh renewal\0" + self._control.proxy.encode() + b"\0" + csr)
            return {"proof": {"certificate": _text(held.chain[0]), "signature": _text(signature)}}
        token = self.token()
        if not token:
            raise ValueError("there is no token to join with; name a file that has one with --join")
        return {"token": token}

    def shown(self) -> tuple[Key, list[bytes]] | None:
        """A certificate that is valid, of any of the services."""
        now = self._clock()
        for service, held in list(self.held.items()):
            if (renewal := self.renewals.get(service)) and renewal.valid(now):
                return held.key, held.chain
        return None

    def token(self) -> str:
        """What to join with; empty when there is nothing, raises ValueError when it cannot be read."""
        try:
            return self._join.read_text().strip() if self._join else ""
        except OSError as error:
            raise ValueError(f"--join {self._join}: {error.strerror}") from None

    def _take(self, service: str, held: Held) -> None:
        assert self._identify is not None, "nobody asks before there is an engine"
        self._identify(service, held.key, held.chain)
        self.held[service] = held
        self._denied.discard(service)

    def _skew(self, said: float, asked: float, answered: float) -> str:
        """How wrong the clock is by which certificates hold, against the control plane's; empty when it is right."""
        self.offset_s, bound_s = clock_offset(said, asked, answered)
        if abs(self.offset_s) <= bound_s + _OFFSET_S:
            return ""
        off = f"{abs(self.offset_s):.1f} s {'ahead of' if self.offset_s > 0 else 'behind'}"
        return f"the clock of this machine is {off} the control plane's (±{bound_s:.1f} s)"

    def _warn(self, skew: str, not_after: float) -> None:
        ends = time.time() >= not_after
        if skew and (ends or self.offset_s < -_TOLERATED_S):
            log.error("%s: by it certificates %s; set it right", skew, _verdict(ends))
        elif skew:
            log.warning("%s", skew)

    def _restore(self) -> None:
        """Goes on with what an earlier process of this proxy had."""
        for service, uri in self._wanted.items():
            held = self._saved.load(service)
            left_s = held.not_after - time.time() if held else 0.0
            if held is None or held.uri != uri or left_s <= 0:
                continue
            self.held[service] = held
            renewal = self.renewals[service] = Renewal(self._clock())
            renewal.granted(self._clock(), max(held.renew_at - time.time(), 0.0), left_s)


def _verdict(ends: bool) -> str:
    return "have ended already" if ends else "are not valid yet"


def _text(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()
