"""Kinds of faults, each with who is to blame.

In: dice. Out: a Trial, or None where the system has no part of this kind.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.rootcause.proving.faults import Effect
from tests.rootcause.proving.system import Service
from tests.rootcause.proving.trials import Draw, Gauge, Kind, Trial

MOST_TIMES = 50
RETRANSMITTED_MS = 280.0
"""What a lost packet costs, on average."""


def one(name: str) -> tuple[frozenset[str], ...]:
    """A single culprit."""
    return (frozenset({name}),)


def _slow(draw: Draw) -> Trial | None:
    found = draw.service()
    return found and Trial("latency of a service", (_slower(draw, found),), one(found.name))


def _slower(draw: Draw, service: Service) -> Effect:
    return Effect("slow", service.name, draw.added_ms(draw.profile.served[service.name]))


def _slow_instance(draw: Draw) -> Trial | None:
    found = draw.service(lambda service: len(service.instances) > 1)
    if found is None:
        return None
    instance = draw.dice.choice(found.instances).name
    added = draw.added_ms(draw.profile.served[found.name], 1 / len(found.instances))
    return Trial("latency of one instance", (Effect("slow", found.name, added, instance=instance),), one(found.name))


def _slow_route(draw: Draw) -> Trial | None:
    found = draw.service(lambda service: len(service.routes) > 1)
    if found is None:
        return None
    route = draw.dice.choice(list(found.routes))
    added = draw.added_ms(draw.profile.served[found.name], 1 / len(found.routes))
    return Trial("latency of one route", (Effect("slow", found.name, added, route=route),), one(found.name))


def _slow_link(draw: Draw) -> Trial | None:
    return _slower_calls(draw, "latency of a link", "link")


def _lossy_link(draw: Draw) -> Trial | None:
    return _slower_calls(draw, "packets lost on a link", "loss", lambda added: min(0.9, added / RETRANSMITTED_MS))


def _slower_calls(
    draw: Draw,
    kind: str,
    effect: str,
    value: Callable[[float], float] = lambda added_ms: added_ms,
    *,
    of_caller: bool = False,
) -> Trial | None:
    """Of one link, by as much as users feel; `value` is how strong an effect adds so many ms."""
    found = draw.link()
    if found is None:
        return None
    source, call = found
    added = draw.added_ms(draw.profile.calls[source, call.to])
    culprit = source if of_caller else call.to
    return Trial(kind, (Effect(effect, call.to, value(added), source=source),), one(culprit))


def _cut_link(draw: Draw) -> Trial | None:
    found = draw.link(lambda _, call: not call.swallowed)
    if found is None:
        return None
    source, call = found
    share = draw.failing(draw.profile.links[source, call.to])
    return Trial("timeouts on a link", (Effect("cut", call.to, share, source=source),), one(call.to))


def _errors(draw: Draw) -> Trial | None:
    found = draw.service()
    if found is None:
        return None
    share = draw.failing(draw.profile.share[found.name])
    return Trial("errors of a service", (Effect("fail", found.name, share),), one(found.name))


def _errors_of_instance(draw: Draw) -> Trial | None:
    found = draw.service(lambda service: len(service.instances) > 1)
    if found is None:
        return None
    share = draw.failing(draw.profile.share[found.name], 1 / len(found.instances))
    effect = Effect("fail", found.name, share, instance=draw.dice.choice(found.instances).name)
    return Trial("errors of one instance", (effect,), one(found.name))


def _swallowed(draw: Draw) -> Trial | None:
    fronts = {entry.service for entry in draw.system.entries}
    found = draw.service(lambda service: service.name not in fronts)
    if found is None:
        return None
    share = draw.failing(draw.profile.share[found.name])
    effects = Effect("fail", found.name, share), Effect("swallow", found.name)
    return Trial("errors that callers swallow", effects, one(found.name))


def _crash(draw: Draw) -> Trial | None:
    fronts = {entry.service for entry in draw.system.entries}
    found = draw.service(lambda service: service.name not in fronts)
    kind = draw.dice.choice(("refuse", "hang"))
    return found and Trial("a service crashed", (Effect(kind, found.name),), one(found.name))


def _crashed_instance(draw: Draw) -> Trial | None:
    fronts = {entry.service for entry in draw.system.entries}
    found = draw.service(lambda service: len(service.instances) > 1 and service.name not in fronts)
    if found is None:
        return None
    effect = Effect(draw.dice.choice(("refuse", "hang")), found.name, instance=draw.dice.choice(found.instances).name)
    return Trial("one instance crashed", (effect,), one(found.name))


def _slow_leaf(draw: Draw) -> Trial | None:
    leaf = draw.leaf()
    if leaf is None:
        return None
    calls = sum(many for (_, to), many in draw.profile.calls.items() if to == leaf)
    return Trial("a slow database or third party", (Effect("slow", leaf, draw.added_ms(calls)),), one(leaf))


def _failing_leaf(draw: Draw) -> Trial | None:
    leaf = draw.leaf()
    if leaf is None:
        return None
    kind = draw.dice.choice(("fail", "fail", "refuse", "hang"))
    share = draw.failing(draw.profile.share[leaf]) if kind == "fail" else 1.0
    return Trial("a failing database or third party", (Effect(kind, leaf, share),), one(leaf))


def _cpu(draw: Draw) -> Trial | None:
    found = draw.service()
    if found is None:
        return None
    own = sum(route.own_ms for route in found.routes.values()) / len(found.routes)
    times = 1 + draw.added_ms(draw.profile.served[found.name]) / own
    return Trial("processor used up", (Effect("busy", found.name, times),), one(found.name), gauges=_full(found, "cpu"))


def _full(service: Service, resource: str) -> tuple[Gauge, ...]:
    return (Gauge(service.name, resource, 0.97),)


def _leak(draw: Draw) -> Trial | None:
    found = draw.service()
    if found is None:
        return None
    effect = Effect("leak", found.name, 3 * draw.added_ms(draw.profile.served[found.name]))
    return Trial("memory leaks until restarts", (effect,), one(found.name), gauges=_full(found, "memory"))


def _retry_storm(draw: Draw) -> Trial | None:
    found = draw.link(lambda _, call: call.to in draw.system.services and not call.swallowed)
    if found is None:
        return None
    service = draw.system.services[found[1].to]
    share = draw.failing(draw.profile.share[service.name])
    effects = (
        Effect("fail", service.name, share),
        Effect("retries", service.name, 3),
        Effect("busy", service.name, 1 + 2 * share),
    )
    return Trial("a retry storm", effects, one(service.name))


def _loop(draw: Draw) -> Trial | None:
    found = draw.link()
    if found is None:
        return None
    source, call = found
    calls = draw.profile.calls[source, call.to]
    times = 1 + draw.added_ms(calls) * calls / draw.profile.waited_ms[source, call.to]
    if times > MOST_TIMES:
        return None
    effect = Effect("repeat", call.to, max(2.0, times), source=source)
    return Trial("calls in a loop (N+1)", (effect,), one(source))


def _cold_cache(draw: Draw) -> Trial | None:
    known = sorted({source for source, call in draw.system.links() if call.cached})
    found = draw.service(lambda service: service.name in known)
    if found is None:
        return None
    behind = [call.to for source, call in draw.system.links() if source == found.name and call.cached]
    seldom = sum(draw.profile.waited_ms[found.name, leaf] for leaf in behind)
    if 9 * seldom < 0.15 * draw.profile.mean_ms * draw.profile.requests:
        return None
    caches = {call.to for source, call in draw.system.links() if source == found.name and not call.cached}
    return Trial(
        "a cache that no longer hits",
        (Effect("miss", found.name),),
        (frozenset({found.name, *(caches & {"redis", "memcached"})}),),
    )


def _rollout(draw: Draw) -> Trial | None:
    found = draw.service()
    if found is None:
        return None
    deployed = Effect("deploy", found.name, draw.dice.choice((0.2, 0.5, 1.0)))
    if draw.dice.random() < 0.5:
        added = draw.added_ms(draw.profile.served[found.name], deployed.value)
        effect = Effect("slow", found.name, added, version="v9")
    else:
        share = draw.failing(draw.profile.share[found.name], deployed.value)
        effect = Effect("fail", found.name, share, version="v9")
    return Trial("a bad rollout", (deployed, effect), one(found.name), changed=frozenset({found.name}))


def _config(draw: Draw) -> Trial | None:
    """A caller does without one of its callees from now on."""
    found = draw.link()
    if found is None:
        return None
    source, call = found
    effect = Effect("skip", call.to, source=source)
    return Trial("a call is left out", (effect,), one(source), changed=frozenset({source}))


def _pool(draw: Draw) -> Trial | None:
    return _slower_calls(draw, "a pool or lock of the caller exhausted", "pool", of_caller=True)


def _surge(draw: Draw) -> Trial | None:
    busiest = max(draw.system.services.values(), key=lambda service: (service.busy, service.name))
    load = draw.dice.uniform(0.9, 1.1) / busiest.busy
    full = frozenset(one.name for one in draw.system.services.values() if one.busy * load > 0.6)
    gauges = tuple(Gauge(name, "cpu", min(0.97, draw.system.services[name].busy * load)) for name in sorted(full))
    return Trial("a surge that overloads", (Effect("load", value=load),), (full | {""},), gauges=gauges)


def _two(draw: Draw) -> Trial | None:
    kinds = (_slow, _errors, _slow_leaf, _cpu, _slow_link)
    first, second = (draw.dice.choice(kinds)(draw) for _ in range(2))
    if first is None or second is None or first.culprits == second.culprits:
        return None
    effects, culprits = first.effects + second.effects, first.culprits + second.culprits
    return Trial("two at once", effects, culprits, gauges=first.gauges + second.gauges)


FAULTS: tuple[Kind, ...] = (
    *(_slow, _slow_instance, _slow_route, _slow_link, _lossy_link, _cut_link, _errors, _errors_of_instance, _swallowed),
    *(_crash, _crashed_instance, _slow_leaf, _failing_leaf, _cpu, _leak, _retry_storm, _loop, _cold_cache, _rollout),
    *(_config, _pool, _surge, _two),
)
FELT_AT_NODES: tuple[Kind, ...] = (
    *(_slow, _slow_leaf, _slow_instance, _cpu, _errors, _failing_leaf, _errors_of_instance, _crash),
)
"""Those that a node as a whole shows."""
