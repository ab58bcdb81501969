"""An order to break something, as the operator writes it: `payments latency 300ms`, `payments:latency:300ms`.

In: words. Out: an Order that can be carried out, or a sentence that says what can be ordered. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.demo.topology import BY_NAME, ENTRY


class BadOrder(ValueError):
    """Nothing of that kind can be ordered; the message says what can."""


@dataclass(frozen=True)
class Kind:
    """One kind of fault: what it does, and how much of it when nobody says."""

    what: str
    default: str
    pattern: str
    example: str


KINDS = {
    "latency": Kind("slow code: every request waits longer", "300ms", r"\d+(\.\d+)?(ms|s)", "300ms"),
    "errors": Kind("a share of the requests is answered with 500", "50%", r"\d+(\.\d+)?%", "50%"),
    "cpu": Kind("threads compute for nothing in this share of the time", "80%", r"[1-9]\d?%", "80%"),
    "link": Kind("a slow network on the way to it (per round trip)", "200ms", r"\d+(\.\d+)?(ms|s)", "200ms"),
    "version": Kind("a bad new version is rolled out", "300ms", r"\d+(\.\d+)?(ms|s|%)", "300ms or 50%"),
    "crash": Kind("the application is killed, its sidecar stays", "one", r"one|all", "one or all"),
}
BEHIND_THE_DOOR = ("version",)


@dataclass(frozen=True)
class Order:
    """One fault of one service: of all its instances, or of the one that is named."""

    service: str
    kind: str
    amount: str
    instance: str = ""

    def __str__(self) -> str:
        return f"{self.instance or self.service}:{self.kind}:{self.amount}"


def order(service: str, kind: str, amount: str = "", instance: str = "") -> Order:
    """Checks an order; raises BadOrder naming what there is instead."""
    if service not in BY_NAME:
        raise BadOrder(f"no service {service!r} in the shop; there are: {', '.join(BY_NAME)}")
    if kind not in KINDS:
        raise BadOrder(f"no kind of fault {kind!r}; there are: {', '.join(KINDS)}, and clear")
    if service == ENTRY and kind in BEHIND_THE_DOOR:
        raise BadOrder(f"{kind} does not work on {ENTRY}: the gateway leads customers to it, whatever its versions")
    amount = amount or KINDS[kind].default
    if not re.fullmatch(KINDS[kind].pattern, amount):
        raise BadOrder(f"{amount!r} is not an amount of {kind}; write for example {KINDS[kind].example}")
    return Order(service, kind, amount, instance)


def parse(text: str) -> Order:
    """Reads SERVICE:KIND or SERVICE:KIND:AMOUNT."""
    service, _, rest = text.partition(":")
    kind, _, amount = rest.partition(":")
    return order(service, kind, amount)


def milliseconds(amount: str) -> float:
    """`300ms` and `1.5s` as a number of milliseconds."""
    return float(amount.removesuffix("ms")) if amount.endswith("ms") else float(amount.removesuffix("s")) * 1000


def share(amount: str) -> float:
    """`50%` as 0.5."""
    return float(amount.removesuffix("%")) / 100


def behaviour(amount: str) -> tuple[str, float]:
    """What code that waits `300ms` or fails `50%` of its requests is told: a field of misbehave.Fault and its value."""
    if amount.endswith("%"):
        return "error_rate", share(amount)
    return "latency_ms", milliseconds(amount)
