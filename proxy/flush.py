"""Tells the control plane which traces were flagged here, so that every other proxy sends what it keeps of them.

In: trace ids from the engine, as they are flagged. Out: one report for many of them.
Never: a trace forgotten because the control plane is away for a while; records are kept for minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from proxy.subscribe import ControlPlane

_AT_ONCE = 1_000
_PATIENCE_S = 1.0
_GATHER_S = 0.1
_AGAIN_S = 2.0


def report_flags(flagged: Callable[[int, float], list[str]], control: ControlPlane, stop: threading.Event) -> None:
    """Reports what `flagged` (`Engine.flagged`) returns until stopped."""
    while not stop.is_set():
        traces = flagged(_AT_ONCE, _PATIENCE_S)
        while traces and not stop.is_set() and not control.flush(traces):
            stop.wait(_AGAIN_S)
        if traces:
            stop.wait(_GATHER_S)
