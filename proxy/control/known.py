"""What is known beside the documents: who has registered, who is not well, whose certificates are believed, who is to
record everything for a while.

In: discoveries, and what the authority says. Out: the registry of all of it; the same as JSON, for the next process
and for other control planes over the same state. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.control.configuration import Configuration
from proxy.control.discovery.assemble import Assembled, Discovered, assemble
from proxy.control.discovery.instance import Registration
from proxy.control.trust import Trust


@dataclass(frozen=True)
class Known:
    """All of it as of one epoch."""

    discovered: Discovered = field(default_factory=Discovered)
    trust: Trust | None = None
    recording: dict[str, float] = field(default_factory=dict)
    """Until when (Unix seconds) a service records everything."""

    def of(self, written: Configuration) -> Assembled:
        """The registry of what is written and what is known; raises ConfigRefused."""
        made = assemble(written, self.discovered)
        return replace(made, registry=replace(made.registry, trust=self.trust, recording=frozenset(self.recording)))

    def text(self) -> str:
        """As JSON."""
        registrations = [json.loads(one.written()) for one in self.discovered.registrations]
        trust = self.trust and {"domain": self.trust.domain, "roots": self.trust.roots, "crls": self.trust.crls}
        beside: dict[str, Any] = {"left_out": self.discovered.left_out, "key_sets": self.discovered.key_sets}
        beside |= {"trust": trust, "recording": self.recording}
        return json.dumps({"registrations": registrations, **beside})


def read_known(text: str) -> Known:
    """What `Known.text` gave."""
    said = json.loads(text)
    registrations = tuple(Registration.model_validate(one) for one in said["registrations"])
    trust = said["trust"]
    believed = _trust(trust) if trust else None
    discovered = Discovered(registrations, said["left_out"], said["key_sets"])
    return Known(discovered, believed, said.get("recording", {}))


def _trust(said: dict[str, Any]) -> Trust:
    """Lists that a version before signed ones wrote are told anew by the authority."""
    crls = tuple((issuer, crl) for issuer, crl in said.get("crls", ()))
    return Trust(said["domain"], tuple(said["roots"]), crls)
