"""What is different between two states of one HTTPRoute or GRPCRoute.

In: the route before and after. Out: shifted weights as a rollout of each parent, other changes rule by rule. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.control.documents import RouteDocument
from proxy.control.documents.route import Rule
from proxy.control.documents.route_parts import BackendRef
from proxy.control.epochs.change import Change


def route_changes(before: RouteDocument, after: RouteDocument) -> Iterator[Change]:
    """Every change of a route that was there and still is."""
    title = f"{after.kind} {after.full_name}"
    was, now = _by_name(before), _by_name(after)
    for name in (*now, *(gone for gone in was if gone not in now)):
        old, new = was.get(name), now.get(name)
        if old is not None and new is not None:
            yield from _rule(f"{title}, rule {name}", after.parents, old, new)
        else:
            verb = "removed" if new is None else "added"
            yield _setting(after.concerns, f"{title}: rule {name} {verb}")
    if before.parents != after.parents:
        summary = f"{title}: routes {', '.join(after.parents)} (before: {', '.join(before.parents)})"
        yield _setting(after.concerns, summary)


def _rule(where: str, parents: tuple[str, ...], was: Rule, now: Rule) -> Iterator[Change]:
    before, after = _shares(was), _shares(now)
    if before != after:
        for parent in parents:
            summary = f"weights of {parent} changed {before} -> {after} ({where})"
            yield Change("rollout", parent, "", before, after, summary)
    if was.model_copy(update={"backend_refs": ()}) != now.model_copy(update={"backend_refs": ()}):
        yield _setting(parents[0], f"{where} changed")


def _setting(service: str, summary: str) -> Change:
    return Change("config", service, "", "", "", summary)


def _by_name(document: RouteDocument) -> dict[str, Rule]:
    """Rules by name; one without a name goes by its place."""
    return {rule.name or str(place): rule for place, rule in enumerate(document.spec.rules)}


def _shares(rule: Rule) -> str:
    """How requests are divided: `v1 90, v2 10`, with the Services where there are several."""
    refs = [ref for ref in rule.backend_refs if ref.weight]
    several = len({(ref.namespace, ref.name) for ref in refs}) > 1
    return ", ".join(f"{_called(ref, several)} {ref.weight}" for ref in refs) or "nobody"


def _called(ref: BackendRef, whole: bool) -> str:
    if ref.version is None:
        return ref.name
    return f"{ref.name} {ref.version}" if whole else ref.version
