"""Which metrics tell what an instance uses up, by the words of their names.

In: names of metrics of whatever collector. Out: the resource, in a word; nothing for metrics of work done (requests,
latency, traffic), which go up and down with what is asked, and of hosts, which are shared.
"""

from __future__ import annotations

import re
from functools import cache

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_RESOURCES = {
    "cpu": ("cpu", "throttled", "throttling"),
    "memory": ("memory", "mem", "rss", "heap", "oom"),
    "disk": ("disk", "diskio", "fs", "filesystem", "iops", "blkio"),
    "sockets": ("socket", "sockets", "fd", "fds", "descriptors", "connections"),
    "threads": ("thread", "threads", "goroutines"),
    "restarts": ("restart", "restarts"),
}
_RESOURCE = {word: resource for resource, words in _RESOURCES.items() for word in words}
_OTHERS = frozenset(
    {"node", "host", "system", "limit", "limits", "request", "requests", "latency", "duration", "error", "errors"}
    | {"success", "free", "available", "idle", "capacity", "quota", "cached", "inactive"}
)


@cache
def resource_of(metric: str) -> str:
    """The resource that a metric tells the use of; empty for any other metric."""
    words = [word.lower() for word in WORDS.findall(metric)]
    if _OTHERS.intersection(words):
        return ""
    return next((_RESOURCE[word] for word in words if word in _RESOURCE), "")
