"""The demo's terminal: what the customers see, what is broken, what the mesh says of it; and keys to break more.

In: readings of the running shop, single keys. Out: a live picture; the order a key stands for. Pure but for `keyboard`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.demo.decisions import Decisions
from deploy.demo.order import Order, order
from deploy.demo.topology import ENTRY, SHOPS
from deploy.local.ports import Ports

KINDS_OF_KEYS = {"l": "latency", "e": "errors", "u": "cpu", "n": "link", "v": "version", "c": "crash"}
HEAL, QUIT = "h", "q"
SERVICES = [shop.name for shop in SHOPS if shop.name != ENTRY]


@dataclass
class Reading:
    """The last figures; empty until the first answers come."""

    load: Mapping[str, Any] = field(default_factory=dict)
    why: Mapping[str, Any] = field(default_factory=dict)
    spans: int = 0
    spans_dropped: int = 0
    decisions: Decisions | None = field(default_factory=Decisions)  # None: there are no policies
    message: str = ""


@dataclass(frozen=True)
class Choice:
    """What a key press means: a service is selected, an order is given, all is healed, or it is over."""

    selected: str
    order: Order | None = None
    heal: bool = False
    quit: bool = False


def press(key: str, selected: str) -> Choice:
    """Digits select a service, letters break or heal the one that is selected; other keys mean nothing."""
    if key.isdecimal() and 0 < int(key) <= len(SERVICES):
        return Choice(SERVICES[int(key) - 1])
    if key in KINDS_OF_KEYS:
        return Choice(selected, order=order(selected, KINDS_OF_KEYS[key]))
    return Choice(selected, heal=key == HEAL, quit=key == QUIT)


def picture(reading: Reading, broken: Mapping[str, Order], selected: str, ports: Ports, *, ui: bool) -> RenderableType:
    """Everything a person wants to see at once."""
    figures = Table.grid(padding=(0, 3))
    if load := reading.load:
        figures.add_row(
            f"{load['rate']:.0f} requests/s",
            f"{load['error_share']:.1%} errors",
            f"p50 {load['p50_ms']:.0f} ms",
            f"p95 {load['p95_ms']:.0f} ms",
            f"{reading.spans:,} spans recorded, {reading.spans_dropped:,} dropped",
        )
    keys = "  ".join(f"[{number}]{name}" for number, name in enumerate(SERVICES, start=1))
    kinds = "  ".join(f"[{key}]{kind}" for key, kind in KINDS_OF_KEYS.items())
    return Group(
        *([Text(f"UI        {ports.url('ui')}", style="bold")] if ui else []),
        Text(f"SQL       curl '{ports.url('clickhouse_http')}/?query=SHOW+TABLES+FROM+otel'    or: whymesh sql"),
        figures,
        Text(f"security  {_security(reading.decisions)}"),
        Text(f"broken    {', '.join(map(str, broken.values())) or 'nothing'}", style="red" if broken else ""),
        Text(f"verdict   {reading.why.get('summary', 'not asked yet')}", style=_style(reading.why)),
        Text(f"select    {keys}    selected: {selected}", style="dim"),
        Text(f"break it  {kinds}  [{HEAL}]heal  [{QUIT}]quit", style="dim"),
        Text(reading.message, style="yellow"),
    )


def _security(decisions: Decisions | None) -> str:
    if decisions is None:
        return "in the clear, anyone may ask anything (--plain)"
    denied = ", ".join(f"{source or 'outside'} -> {service}" for source, service in decisions.denied)
    count = sum(decisions.denied.values())
    told = f"{count:,} denied ({denied})" if count else "none denied"
    return f"proxies encrypt to each other (strict mTLS); policies: {decisions.allowed:,} requests allowed, {told}"


def _style(why: Mapping[str, Any]) -> str:
    return {"degraded": "bold red", "nothing_wrong": "green"}.get(why.get("state", ""), "")


@contextlib.contextmanager
def keyboard(pressed: Callable[[str], None]) -> Iterator[None]:
    """Calls back with each key while the block runs; nothing happens when standard input is not a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, lambda: pressed(os.read(descriptor, 1).decode(errors="replace")))
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
