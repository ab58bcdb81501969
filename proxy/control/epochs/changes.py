"""Says what is different between two registries, in the words of an operator.

In: the registry before and after. Out: a list of `Change`, services and instances named. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.control.documents import Document, EndpointSpec, RouteDocument, Service
from proxy.control.epochs.change import Change
from proxy.control.epochs.route_changes import route_changes
from proxy.control.registry import Registry


def changes_between(before: Registry, after: Registry) -> list[Change]:
    """Every change from one registry to the next, in the order of the newer one."""
    old = {service.full_name: service for service in before.services}
    new = {service.full_name: service for service in after.services}
    found = [change for name in (*new, *(n for n in old if n not in new)) for change in _service(name, old, new)]
    found.extend(_others(before, after))
    found.extend(_health(before, after))
    found.extend(_keys(before, after))
    found.extend(_recording(before, after))
    if before.mesh != after.mesh:
        found.append(Change("config", "", "", "", "", "settings of the whole mesh changed"))
    return found


def _service(name: str, old: dict[str, Service], new: dict[str, Service]) -> Iterator[Change]:
    was, now = old.get(name), new.get(name)
    before = {e.instance: e for e in was.spec.endpoints} if was else {}
    after = {e.instance: e for e in now.spec.endpoints} if now else {}
    if _versions(before) != _versions(after):
        yield _rollout(name, before, after)
    for instance in (*after, *(i for i in before if i not in after)):
        if change := _instance(name, before.get(instance), after.get(instance)):
            yield change
    if was and now and was.spec.model_copy(update={"endpoints": ()}) != now.spec.model_copy(update={"endpoints": ()}):
        yield Change("config", name, "", "", "", f"settings of {name} changed")


def _others(before: Registry, after: Registry) -> Iterator[Change]:
    """Routes, policies and whatever else is not a service."""
    was, now = _by_title(before), _by_title(after)
    for title in (*now, *(t for t in was if t not in now)):
        if was.get(title) == now.get(title):
            continue
        before_it, after_it = was.get(title), now.get(title)
        if isinstance(before_it, RouteDocument) and isinstance(after_it, RouteDocument):
            yield from route_changes(before_it, after_it)
            continue
        verb = "added" if title not in was else "removed" if title not in now else "changed"
        concerned = (now.get(title) or was[title]).concerns
        yield Change("config", concerned, "", "", "", f"{title} {verb}")


def _by_title(registry: Registry) -> dict[str, Document]:
    return {f"{d.kind} {d.full_name}": d for d in registry.documents if not isinstance(d, Service)}


def _keys(before: Registry, after: Registry) -> Iterator[Change]:
    for url, text in after.key_sets.items():
        if before.key_sets.get(url) != text:
            yield Change(
                "config", "", "", "", "", f"keys of {url} {'changed' if url in before.key_sets else 'fetched'}"
            )


def _recording(before: Registry, after: Registry) -> Iterator[Change]:
    for name in sorted(after.recording - before.recording):
        yield Change("recording", name, "", "", "all", f"{name} records everything for a while")
    for name in sorted(before.recording - after.recording):
        yield Change("recording", name, "", "all", "", f"{name} records by its settings again")


def _health(before: Registry, after: Registry) -> Iterator[Change]:
    """Instances that are left out now, and those that are called again."""
    for service, endpoint in after.instances():
        name = endpoint.instance
        was, now = before.left_out.get(name), after.left_out.get(name)
        if now is not None and was is None:
            summary = f"{name} of {service.full_name} is unwell and no longer called: {now}"
            yield Change("health", service.full_name, name, "well", "unwell", summary)
        elif was is not None and now is None:
            yield Change(
                "health", service.full_name, name, "unwell", "well", f"{name} of {service.full_name} is called again"
            )


def _versions(endpoints: dict[str, EndpointSpec]) -> str:
    return ", ".join(sorted({e.version for e in endpoints.values()}))


def _rollout(name: str, before: dict[str, EndpointSpec], after: dict[str, EndpointSpec]) -> Change:
    was, now = _versions(before), _versions(after)
    return Change("rollout", name, "", was, now, f"{name} now serves {now or 'nothing'} (before: {was or 'nothing'})")


def _instance(name: str, before: EndpointSpec | None, after: EndpointSpec | None) -> Change | None:
    if before is None and after is not None:
        return Change(
            "scale",
            name,
            after.instance,
            "",
            after.version,
            f"{after.instance} ({after.version}) joined {name}",
        )
    if before is not None and after is None:
        summary = f"{before.instance} ({before.version}) left {name}"
        return Change("scale", name, before.instance, before.version, "", summary)
    if before is not None and after is not None and before != after:
        summary = f"settings of {after.instance} changed"
        return Change("config", name, after.instance, before.version, after.version, summary)
    return None
