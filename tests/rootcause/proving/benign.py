"""Kinds of changes for which nobody is to blame.

In: dice. Out: a Trial, or None where the system has no part of this kind.
"""

from __future__ import annotations

from tests.rootcause.proving.faults import Effect
from tests.rootcause.proving.trials import Draw, Kind, Trial


def _nothing(_: Draw) -> Trial | None:
    return Trial("healthy: nothing", ())


def _rolled_out(draw: Draw) -> Trial | None:
    found = draw.service()
    if found is None:
        return None
    effect = Effect("deploy", found.name, draw.dice.choice((0.2, 0.5, 1.0)))
    return Trial("healthy: a rollout without effect", (effect,), changed=frozenset({found.name}))


def _scaled(draw: Draw) -> Trial | None:
    found = draw.service()
    return found and Trial("healthy: scaled up or down", (Effect("scale", found.name, draw.dice.choice((1, 3, 6))),))


def _loaded(draw: Draw) -> Trial | None:
    most = max(service.busy for service in draw.system.services.values())
    return Trial("healthy: up to three times the load", (Effect("load", value=min(3.0, 0.6 / most)),))


def _mixed(_: Draw) -> Trial | None:
    return Trial("healthy: another mix of requests", (Effect("mix", value=0.7), Effect("entries", value=5.0)))


def _new_route(draw: Draw) -> Trial | None:
    return Trial("healthy: a new route", (Effect("new route", value=0.2),))


def _batch(draw: Draw) -> Trial | None:
    return Trial("healthy: a batch job begins", (Effect("batch", value=0.1),))


BENIGN: tuple[Kind, ...] = (*(_nothing, _rolled_out, _scaled, _loaded, _mixed, _new_route, _batch),)
