"""Finds which service a log or a metric is of when its collector calls services otherwise than spans do.

In: names that spans or edges know, and names of others. Out: the known name by the other one. Only what can mean one
service alone is told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

_POD = re.compile(r"-[a-f0-9]{6,10}-[a-z0-9]{5}$|-[0-9]+$")
"""What Kubernetes adds to the name of a deployment or a stateful set."""
_BETWEEN = re.compile(r"[^a-z0-9]+")
_ROLES = ("service", "svc")


def same_names(known: Iterable[str], others: Iterable[str]) -> Mapping[str, str]:
    """The known name of each of the others that has one; those known by their own names are left out."""
    names = set(known)
    by_core: dict[str, set[str]] = defaultdict(set)
    for name in names:
        by_core[_core(name)].add(name)
    found = {}
    for other in set(others) - names:
        meant = by_core.get(_core(other), set())
        if len(meant) == 1:
            found[other] = min(meant)
    return found


def _core(name: str) -> str:
    """Without a namespace, a pod's ending, case, and the word for what it is."""
    core = _POD.sub("", name.strip().lower().rpartition("/")[2])
    core = _BETWEEN.sub("", core)
    for role in _ROLES:
        core = core.removesuffix(role) or core
    return core
