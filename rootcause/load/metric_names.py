"""What a metric measures, by the words of its name: the conventions of OpenTelemetry, Prometheus, Istio and cAdvisor.

In: names of metrics of whatever collector. Out: what it tells of its service; nothing for what is no measure of it
(limits, hosts, the buckets of histograms).
"""

from __future__ import annotations

import re
from enum import Enum
from functools import cache

from rootcause.load.amounts import WORDS, resource_of


class Tells(Enum):
    """`WAITED` is what the service's calls of others took; `SUCCESS` falls when things are bad."""

    LATENCY = "latency"
    WAITED = "waited"
    ERRORS = "errors"
    SUCCESS = "success"
    TRAFFIC = "traffic"
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    SOCKETS = "sockets"
    THREADS = "threads"
    RESTARTS = "restarts"
    OTHER = "other"


FELT = frozenset({Tells.LATENCY, Tells.ERRORS, Tells.SUCCESS})
"""What whoever asks the service feels."""
USED = frozenset({Tells.CPU, Tells.MEMORY, Tells.DISK, Tells.SOCKETS, Tells.THREADS, Tells.RESTARTS})
"""What the service uses up."""

_FAILED = re.compile(r"(?<![0-9A-Za-z])5(xx|[0-9]{2})(?![0-9A-Za-z])", re.IGNORECASE)
"""Of HTTP."""
_HOSTS = frozenset({"node", "host", "machine"})
_NO_MEASURE = frozenset({"limit", "limits", "quota", "quotas", "spec", "capacity", "bucket", "info", "last", "created"})
_SHARES = frozenset({"percent", "ratio", "utilization"})
_LATENCY = frozenset({"latency", "latencies", "duration", "durations", "elapsed", "rt", "delay", "ttfb"})
_TIMED = frozenset({"request", "requests", "response", "responses", "http", "rpc", "grpc"})
_SECONDS = frozenset({"seconds", "milliseconds", "ms", "time"})
_INSIDE = frozenset({"gc", "pause", "scrape", "cpu"})
"""Durations that nobody waits for."""
_CALLS = frozenset({"client", "outbound", "egress", "upstream"})
_SUCCESS = frozenset({"success", "successes", "succeeded", "availability"})
_ERRORS = frozenset(
    {"error", "errors", "err", "errs", "fail", "failed", "failure", "failures", "exception", "exceptions"}
)
_NETWORK = frozenset(
    {"network", "net", "bytes", "packets", "receive", "received", "transmit", "transmitted", "sent", "rx", "tx"}
)
_ASKED = frozenset({"request", "requests", "rps", "qps", "tps", "workload", "load", "throughput", "calls", "ops"})


@cache
def tells(metric: str) -> Tells | None:
    """What it tells; None for what is no measure of a service."""
    words = frozenset(word.lower() for word in WORDS.findall(_FAILED.sub("errors", metric)))
    if words & _HOSTS or (words & _NO_MEASURE and not words & _SHARES):
        return None
    if words & _SUCCESS:
        return Tells.SUCCESS
    if words & _ERRORS:
        return Tells.OTHER if words & _NETWORK else Tells.ERRORS
    if (words & _LATENCY or (words & _TIMED and words & _SECONDS)) and not words & _INSIDE:
        return Tells.WAITED if words & _CALLS else Tells.LATENCY
    return _used_or_asked(metric, words)


def _used_or_asked(metric: str, words: frozenset[str]) -> Tells:
    resource = resource_of(metric)
    if resource:
        return Tells(resource)
    return Tells.TRAFFIC if words & (_ASKED | _NETWORK) else Tells.OTHER
