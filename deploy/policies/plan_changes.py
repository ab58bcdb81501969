"""Compares what became of recorded requests with what would become of them.

In: flows as they were recorded, and the answers of another configuration. Out: those that differ. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from deploy.policies.recorded_flows import Asked, Sent


class Answer(Protocol):
    """What becomes of a flow: a word to compare by, and why it is so."""

    @property
    def verdict(self) -> str: ...
    @property
    def why(self) -> str: ...


class Answers(Protocol):
    """What a configuration does with a flow."""

    def decision(self, caller: str, service: str, method: str, path: str) -> Answer: ...
    def route(self, caller: str, authority: str, method: str, path: str) -> Answer | None: ...


@dataclass(frozen=True)
class Changed:
    """Requests of one kind that something else would become of, and the trace of one."""

    what: str
    caller: str
    to: str
    request: str
    count: int
    before: str
    after: str
    why: str
    trace: str

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def decisions(flows: Iterable[Asked], answers: Answers) -> Iterator[Changed]:
    """Flows that would be let in where they were not, or the other way round."""
    for flow in flows:
        before = "denied" if flow.denied else "allowed"
        after = answers.decision(flow.caller, flow.service, flow.method, flow.path)
        if after.verdict != before:
            request = f"{flow.method} {flow.path}" if flow.method else "a connection"
            to, trace = flow.service, flow.trace
            yield Changed("decision", flow.caller, to, request, flow.count, before, after.verdict, after.why, trace)


def routes(flows: Iterable[Sent], answers: Answers) -> Iterator[Changed]:
    """Flows that would take another rule than they took."""
    for flow in flows:
        after = answers.route(flow.caller, flow.authority, flow.method, flow.path)
        if after is None or after.verdict == flow.rule:
            continue
        request, to = f"{flow.method} {flow.path}", flow.authority
        before, then = flow.rule or "no rule", after.verdict or "no rule"
        yield Changed("route", flow.caller, to, request, flow.count, before, then, after.why, flow.trace)
