"""One experiment on the running shop: break something, wait for the finding, account for every span.

In: orders, or none. Out: a Verdict. Never: a look at what was injected by the side that has to find it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from collector.store.client import Reader
from collector.store.errors import StoreUnavailable
from deploy.demo.edge import GATEWAY
from deploy.demo.faults import Faults
from deploy.demo.order import Order
from deploy.demo.shop import RunningShop

WARM_UP_S = 75.0
PATIENCE_S = 90.0
HEALTHY_S = 45.0  # how long a run without a fault is watched; with start and end, every run takes less than 3 minutes
SETTLE_S = 20.0
POLL_S = 0.5
STORED = f"""
SELECT count() AS spans, countIf(ServiceName = '{GATEWAY}' AND SpanKind = 'Server') AS requests
FROM otel.otel_traces WHERE ScopeName = 'whymesh.proxy'
"""
REASONS = """
SELECT concat(ServiceName, ' ', SpanAttributes['mesh.reason']) AS reason, count() AS requests
FROM otel.otel_traces WHERE ScopeName = 'whymesh.proxy' AND SpanAttributes['mesh.reason'] != ''
GROUP BY reason ORDER BY requests DESC LIMIT 20
"""


class Inconclusive(Exception):
    """The experiment says nothing about the fault; the message tells what came in between."""


@dataclass(frozen=True)
class Verdict:
    """What was injected, what was found, and whether every request has its spans stored."""

    fault: str
    broken: tuple[str, ...]  # the services that were ordered to be
    finding: dict[str, Any] | None  # of the incident that opened first
    also: tuple[dict[str, Any], ...]  # of those that opened beside it
    rank: int | None  # in the first finding's ranking, from 1, of the broken service that comes first
    detected_after_s: float | None
    all_detected_after_s: float | None  # until every broken service had an incident
    requests: int
    request_errors: int
    failures: dict[str, int]  # of them by status, or by what came in place of an answer
    reasons: dict[str, int]  # what the mesh itself answered, by service and mesh.reason
    requests_lost: int  # answered to customers, and not in the store as the gateway served them
    spans: int
    spans_lost: int

    @property
    def right(self) -> bool:
        """Each broken service has an incident and nobody else: nobody at all when nothing was injected."""
        found = filter(None, (self.finding, *self.also))
        return sorted(finding["culprit"]["service"] for finding in found) == sorted(self.broken)

    @property
    def whole(self) -> bool:
        """Nothing that was recorded is missing."""
        return not self.spans_lost and not self.requests_lost


async def run(
    orders: Sequence[Order],
    shop: RunningShop,
    faults: Faults,
    http: aiohttp.ClientSession,
    say: Callable[[str], None],
) -> Verdict:
    """Warms up, injects, waits, lets what is under way end, counts; raises Inconclusive."""
    try:
        return await _run(orders, shop, faults, http, say)
    except (aiohttp.ClientError, TimeoutError, StoreUnavailable) as error:
        raise Inconclusive(f"a process stopped answering: {error or type(error).__name__}") from error


async def _run(
    orders: Sequence[Order],
    shop: RunningShop,
    faults: Faults,
    http: aiohttp.ClientSession,
    say: Callable[[str], None],
) -> Verdict:
    say("warming up: the root-cause engine gathers a baseline")
    answer = await _until(_has_baseline, shop, http, WARM_UP_S)
    if not _has_baseline(answer):
        raise Inconclusive(f"no baseline after {WARM_UP_S:.0f} s: {answer.get('summary', 'no answer')}")
    if _findings(answer):
        raise Inconclusive(f"something is wrong before anything was injected: {answer['summary']}")
    fault = " + ".join(map(str, orders)) or "none"
    if orders:
        say(f"injecting {fault}")
    for order in orders:
        await faults.inject(order)
    began = time.monotonic()
    patience_s = PATIENCE_S if orders else HEALTHY_S
    answer = await _until(lambda answer: bool(_findings(answer)), shop, http, patience_s)
    first_s = time.monotonic() - began
    if _findings(answer):
        answer = await _until(lambda answer: len(_findings(answer)) >= len(orders), shop, http, patience_s - first_s)
    all_s = time.monotonic() - began
    findings = _findings(answer)
    for finding in findings:
        say(f"found: {finding['title']}")
    say(f"{first_s:.0f} s until the first finding" if findings else f"nothing found in {first_s:.0f} s")
    customers = await shop.load_stats(http, stop=True)
    recorded, stored = await _settle(shop, http, say)
    broken = tuple(order.service for order in orders)
    places = [place for service in broken if findings and (place := rank_of(service, findings[0]))]
    return Verdict(
        fault=fault,
        broken=broken,
        finding=findings[0] if findings else None,
        also=tuple(findings[1:]),
        rank=min(places, default=None),
        detected_after_s=round(first_s, 1) if findings else None,
        all_detected_after_s=round(all_s, 1) if findings and len(findings) >= len(orders) else None,
        requests=customers["answered"],
        request_errors=customers["errors"],
        failures=customers["failures"],
        reasons=stored.reasons,
        requests_lost=max(
            0, customers["answered"] - stored.requests
        ),  # one is sent again when its connection was just closed
        spans=stored.spans,
        spans_lost=recorded - stored.spans,
    )


def rank_of(service: str, finding: dict[str, Any]) -> int | None:
    """The place of a service in a finding, from 1: the culprit is first, the ranking says who follows."""
    blamed = dict.fromkeys([finding["culprit"]["service"], *(entry["service"] for entry in finding["ranking"])])
    return list(blamed).index(service) + 1 if service in blamed else None


def _has_baseline(answer: dict[str, Any]) -> bool:
    return answer.get("state") in {"nothing_wrong", "degraded"}


def _findings(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the open incidents, the one that opened first before the others."""
    return [answer["finding"], *answer["also"]] if answer.get("finding") else []


async def _until(
    holds: Callable[[dict[str, Any]], bool], shop: RunningShop, http: aiohttp.ClientSession, seconds: float
) -> dict[str, Any]:
    """Asks the root-cause engine until the answer holds or the time is over; returns the last answer."""
    answer: dict[str, Any] = {}
    deadline = time.monotonic() + seconds
    while not holds(answer) and time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        async with http.get(f"{shop.ports.url('rootcause')}/v1/why") as response:
            answer = await response.json()
    return answer


async def _settle(shop: RunningShop, http: aiohttp.ClientSession, say: Callable[[str], None]) -> tuple[int, _Stored]:
    """Waits until no proxy has a span to send and the store holds all; returns how many were recorded, and what is
    stored. The collector answers once a span is in its log, so the store may be a moment behind."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        records = [stats["records"] for stats in await shop.proxy_stats(http)]
        pending = sum(record["pending"] for record in records)
        recorded = sum(record["recorded"] for record in records)
        stored = await asyncio.to_thread(_count, shop.ports.store)
        if (not pending and stored.spans >= recorded) or time.monotonic() > deadline:
            break
        await asyncio.sleep(POLL_S)
    if pending:
        say(f"{pending} spans are still with the proxies after {SETTLE_S:.0f} s")
    return recorded, stored


@dataclass(frozen=True)
class _Stored:
    spans: int
    requests: int
    reasons: dict[str, int]


def _count(store: str) -> _Stored:
    reader = Reader(store)
    try:
        reasons = {row["reason"]: row["requests"] for row in reader.rows(REASONS)}
        return _Stored(**reader.rows(STORED)[0], reasons=reasons)
    finally:
        reader.close()
