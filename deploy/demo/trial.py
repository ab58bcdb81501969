"""One experiment on the running shop: break something, wait for the finding, account for every span.

In: an order, or none. Out: a Verdict. Never: a look at what was injected by the side that has to find it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from collector.store.client import Reader
from collector.store.errors import StoreUnavailable
from deploy.demo.faults import Faults
from deploy.demo.order import Order
from deploy.demo.shop import RunningShop

WARM_UP_S = 75.0
PATIENCE_S = 90.0
HEALTHY_S = 45.0  # how long a run without a fault is watched; with start and end, every run takes less than 3 minutes
SETTLE_S = 20.0
POLL_S = 0.5
SPANS = "SELECT count() AS spans FROM otel.otel_traces WHERE ScopeName = 'whymesh.proxy'"


class Inconclusive(Exception):
    """The experiment says nothing about the fault; the message tells what came in between."""


@dataclass(frozen=True)
class Verdict:
    """What was injected, what was found, and whether every recorded span is stored."""

    fault: str
    finding: dict[str, Any] | None
    rank: int | None  # of the true service in the finding's ranking, from 1
    detected_after_s: float | None
    requests: int
    request_errors: int
    spans: int
    spans_lost: int

    @property
    def right(self) -> bool:
        """The true service is blamed first, or nobody when nothing was injected."""
        return self.finding is None if self.fault == "none" else self.rank == 1


async def run(
    order: Order | None,
    shop: RunningShop,
    faults: Faults,
    http: aiohttp.ClientSession,
    say: Callable[[str], None],
) -> Verdict:
    """Warms up, injects, waits, lets what is under way end, counts; raises Inconclusive."""
    try:
        return await _run(order, shop, faults, http, say)
    except (aiohttp.ClientError, TimeoutError, StoreUnavailable) as error:
        raise Inconclusive(f"a process stopped answering: {error or type(error).__name__}") from error


async def _run(
    order: Order | None,
    shop: RunningShop,
    faults: Faults,
    http: aiohttp.ClientSession,
    say: Callable[[str], None],
) -> Verdict:
    say("warming up: the root-cause engine gathers a baseline")
    answer = await _until(_has_baseline, shop, http, WARM_UP_S)
    if not _has_baseline(answer):
        raise Inconclusive(f"no baseline after {WARM_UP_S:.0f} s: {answer.get('summary', 'no answer')}")
    if _degraded(answer):
        raise Inconclusive(f"something is wrong before anything was injected: {answer['summary']}")
    if order:
        say(f"injecting {order}")
        await faults.inject(order)
    began = time.monotonic()
    answer = await _until(_degraded, shop, http, PATIENCE_S if order else HEALTHY_S)
    took = time.monotonic() - began
    finding = answer["finding"] if _degraded(answer) else None
    say(f"found after {took:.0f} s: {finding['title']}" if finding else f"nothing found in {took:.0f} s")
    customers = await shop.load_stats(http, stop=True)
    recorded, stored = await _settle(shop, http, say)
    return Verdict(
        fault=str(order) if order else "none",
        finding=finding,
        rank=rank_of(order.service, finding) if order and finding else None,
        detected_after_s=round(took, 1) if finding else None,
        requests=customers["answered"],
        request_errors=customers["errors"],
        spans=stored,
        spans_lost=recorded - stored,
    )


def rank_of(service: str, finding: dict[str, Any]) -> int | None:
    """The place of a service in a finding, from 1: the culprit is first, the ranking says who follows."""
    blamed = dict.fromkeys([finding["culprit"]["service"], *(entry["service"] for entry in finding["ranking"])])
    return list(blamed).index(service) + 1 if service in blamed else None


def _has_baseline(answer: dict[str, Any]) -> bool:
    return answer.get("state") in {"nothing_wrong", "degraded"}


def _degraded(answer: dict[str, Any]) -> bool:
    return answer.get("state") == "degraded" and answer.get("finding") is not None


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


async def _settle(shop: RunningShop, http: aiohttp.ClientSession, say: Callable[[str], None]) -> tuple[int, int]:
    """Waits until no proxy has a span to send and the store holds all; returns how many were recorded and how many are
    stored. The collector answers once a span is in its log, so the store may be a moment behind."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        records = [stats["records"] for stats in await shop.proxy_stats(http)]
        pending = sum(record["pending"] for record in records)
        recorded = sum(record["recorded"] for record in records)
        stored = await asyncio.to_thread(_count_spans, shop.ports.store)
        if (not pending and stored >= recorded) or time.monotonic() > deadline:
            break
        await asyncio.sleep(POLL_S)
    if pending:
        say(f"{pending} spans are still with the proxies after {SETTLE_S:.0f} s")
    return recorded, stored


def _count_spans(store: str) -> int:
    reader = Reader(store)
    try:
        return int(reader.rows(SPANS)[0]["spans"])
    finally:
        reader.close()
