"""Requests through a generated system, as the spans that its applications and their client libraries send.

In: a system, effects, a seed, a stretch of time. Out: plain OpenTelemetry spans; and how often each part was met.
"""

from __future__ import annotations

import random
from math import log, sin, tau

from rootcause.load.spans import Kind, Span
from tests.rootcause.proving.faults import Effects
from tests.rootcause.proving.system import Call, Entry, Family, Instance, Route, Service, System

RETRANSMIT_S = 0.2
RESTART_S = 40.0
REFUSED_S = 0.002
BREAKER_LOOKS_AT, BREAKER_OPEN_S = 20, 5.0
DAY_S = 600.0
"""A day in small."""
_SECOND = 1_000_000_000


class Traffic:
    """One stretch of time. `spans` are what was sent, `callees` whom each client span was for, `struck` the requests in
    which an effect was at work."""

    def __init__(self, system: System, seed: int, effects: Effects) -> None:
        self._system = system
        self._dice = random.Random(f"traffic {system.seed} {seed}")
        self._effects = effects
        self._ids = self._dice.getrandbits(40) << 20
        self._recent: dict[tuple[str, str], list[bool]] = {}
        self._open_until: dict[tuple[str, str], float] = {}
        self.spans: list[Span] = []
        self.callees: dict[str, str] = {}
        self.struck = 0

    def run(self, start: float, seconds: float) -> list[Span]:
        """The spans of the requests that arrive in this time."""
        dice = self._dice
        entries, weights = self._entries(start)
        at = start
        while True:
            at += dice.expovariate(self._rate(at))
            if at >= start + seconds:
                return self.spans
            entry = dice.choices(entries, weights)[0]
            service = self._system.services[entry.service]
            struck = self._effects.struck
            self._serve(self._id(), "", service, service.routes[entry.route], self._instance(service, at), at)
            self.struck += self._effects.struck > struck

    def _entries(self, at: float) -> tuple[list[Entry], list[float]]:
        entries = list(self._system.entries)
        weights = [entry.weight for entry in entries]
        weights[0] *= self._effects.on("entries", at, "") or 1.0
        for what, entry in self._system.later.items():
            begun = self._effects.on(what, at, "")
            if begun:
                entries.append(entry)
                weights.append(begun * sum(weights))
        return entries, weights

    def _rate(self, at: float) -> float:
        return self._system.rate * self._load(at) * (1 + self._system.swing * sin(tau * at / DAY_S))

    def _load(self, at: float) -> float:
        return self._effects.on("load", at, "") or 1.0

    def _instance(self, service: Service, at: float) -> Instance:
        known = service.instances
        one = known[int(self._dice.random() * len(known))]
        others = self._effects.on("scale", at, service.name)
        if others:
            one = Instance(f"{service.name}-new{int(self._dice.random() * others)}", one.version)
        share = self._effects.on("deploy", at, service.name)
        if share and self._dice.random() < share:
            one = Instance(f"{service.name}-next{int(self._dice.random() * len(known))}", "v9")
        return one

    def _serve(
        self, trace: str, parent: str, service: Service, route: Route, instance: Instance, at: float
    ) -> tuple[float, bool]:
        """When it ended (seconds), and whether it failed."""
        me = self._id()
        part = service.name, instance.version, instance.name, route.name
        own_s = self._own_s(service, route, part, at)
        now = at + own_s / 2
        failed = self._chance(self._effects.on("fail", at, *part)) or self._dice.random() < service.errors
        if not failed:
            now, failed = self._stages(trace, me, service, instance, route, now)
        now += own_s / 2
        self._record(trace, me, parent, part, Kind.SERVER, at, now, failed)
        return now, failed

    def _stages(
        self, trace: str, me: str, service: Service, instance: Instance, route: Route, now: float
    ) -> tuple[float, bool]:
        dice = self._dice
        ways = route.ways
        way = ways[int(dice.random() * len(ways))]
        if len(ways) > 1 and dice.random() < self._effects.on("mix", now, service.name):
            way = ways[0]
        for stage in way:
            end = now
            for call in stage:
                if call.share < 1 and dice.random() >= call.share:
                    continue
                if call.cached and dice.random() < call.cached and not self._effects.on("miss", now, service.name):
                    continue
                if self._effects.between("skip", now, service.name, call.to):
                    continue
                until = now + self._effects.between("pool", now, service.name, call.to) / 1000 * dice.uniform(0.5, 1.5)
                for _ in range(call.times * max(1, round(self._effects.between("repeat", now, service.name, call.to)))):
                    until, bad = self._call(trace, me, service, instance, route, call, until)
                    if bad and not (call.swallowed or self._effects.between("swallow", now, service.name, call.to)):
                        return until, True
                end = max(end, until)
            now = end
        return now, False

    def _call(
        self, trace: str, me: str, service: Service, instance: Instance, route: Route, call: Call, at: float
    ) -> tuple[float, bool]:
        """All its attempts together."""
        ends = service.name, call.to
        if call.breaker and at < self._open_until.get(ends, 0.0):
            return at + 0.0002, True
        retries = max(call.retries, round(self._effects.between("retries", at, *ends)))
        for attempt in range(1 + retries):
            at, failed = self._attempt(trace, me, service, instance, route, call, at)
            if not failed:
                break
            at += 0.02 * (1 + attempt) if attempt < retries else 0.0
        if call.breaker:
            recent = self._recent.setdefault(ends, [])
            recent.append(failed)
            if len(recent) >= BREAKER_LOOKS_AT:
                if sum(recent) > BREAKER_LOOKS_AT / 2:
                    self._open_until[ends] = at + BREAKER_OPEN_S
                recent.clear()
        return at, failed

    def _attempt(
        self, trace: str, me: str, service: Service, instance: Instance, route: Route, call: Call, at: float
    ) -> tuple[float, bool]:
        id = self._id()
        self.callees[id] = call.to
        part = service.name, instance.version, instance.name, self._says(call)
        if call.queued:
            return self._send(trace, id, me, part, call, at), False
        end, failed = self._answer(trace, id, service, call, at)
        if end - at > call.timeout_ms / 1000:
            end, failed = at + call.timeout_ms / 1000, True
        self._record(trace, id, me, part, Kind.CLIENT, at, end, failed, self._peer(call))
        return end, failed

    def _answer(self, trace: str, id: str, source: Service, call: Call, at: float) -> tuple[float, bool]:
        dice, effects = self._dice, self._effects
        ends = source.name, call.to
        there = 0.0004 * dice.lognormvariate(0, 0.5) + effects.between("link", at, *ends) / 1000 * dice.uniform(
            0.7, 1.3
        )
        if self._chance(effects.between("loss", at, *ends)):
            there += RETRANSMIT_S * (1 if dice.random() < 0.8 else 3)
        for_ever = at + there + call.timeout_ms / 1000 + 1
        if self._chance(effects.between("cut", at, *ends)):
            return for_ever, False
        leaf = self._system.leaves.get(call.to)
        callee = self._system.services.get(call.to)
        instance = self._instance(callee, at) if callee is not None else Instance("", "")
        part = call.to, instance.version, instance.name, call.route
        if effects.on("hang", at, *part):
            return for_ever, False
        if effects.on("refuse", at, *part) or self._restarting(part, at):
            return at + REFUSED_S, True
        if leaf is not None:
            took = leaf.ms * _spread(dice, leaf.family) * max(1.0, effects.on("busy", at, *part))
            took += effects.on("slow", at, *part) * dice.uniform(0.7, 1.3)
            return at + there + took / 1000, self._chance(effects.on("fail", at, *part))
        assert callee is not None
        end, failed = self._serve(trace, id, callee, callee.routes[call.route], instance, at + there)
        return end + 0.0003, failed

    def _send(self, trace: str, id: str, me: str, part: tuple[str, str, str, str], call: Call, at: float) -> float:
        """A message, that somebody takes later."""
        end = at + 0.001 * self._dice.lognormvariate(0, 0.4)
        self._record(trace, id, me, part, Kind.CLIENT, at, end, False, "kafka")
        taker = self._system.services[call.to]
        instance, later = self._instance(taker, at), end + self._dice.expovariate(1 / 0.05)
        route = taker.routes[call.route]
        gone = self._effects.on("hang", at, call.to) or self._effects.on("refuse", at, call.to)
        if not gone:
            trace, id = (self._id(), "") if call.linked else (trace, id)
            self._serve(trace, id, taker, route, instance, later)
        return end

    def _own_s(self, service: Service, route: Route, part: tuple[str, str, str, str], at: float) -> float:
        own = route.own_ms * _spread(self._dice, service.family)
        effects = self._effects
        if at >= effects.since:
            own *= self._queueing(service, at) * max(1.0, effects.on("busy", at, *part) * self._dice.uniform(0.4, 1.6))
            own += effects.on("slow", at, *part) * self._dice.uniform(0.7, 1.3)
            own += effects.on("leak", at, *part) * (((at - effects.since) % RESTART_S) / RESTART_S) ** 2
        return own / 1000

    def _queueing(self, service: Service, at: float) -> float:
        """Whoever uses more of its capacity makes requests wait: of a single server 1 / (1 - share) times as long."""
        busy = min(0.97, service.busy * self._load(at))
        return (1 - service.busy) / (1 - busy)

    def _restarting(self, part: tuple[str, str, str, str], at: float) -> bool:
        since = at - self._effects.since
        return bool(self._effects.on("leak", at, *part)) and since > RESTART_S and since % RESTART_S < RESTART_S / 8

    def _chance(self, share: float) -> bool:
        if not share or self._dice.random() >= share:
            return False
        self._effects.struck += 1
        return True

    def _says(self, call: Call) -> str:
        if call.to in self._system.leaves:
            return f"SELECT {call.to}"
        if call.queued:
            return f"send {call.to}"
        return call.route if self._system.style.named == "route" or "/Get" in call.route else call.route.split(" ")[0]

    def _peer(self, call: Call) -> str:
        if call.to in self._system.leaves:
            return call.to
        peer = self._system.style.peer
        return {"": "", "name": call.to, "address": f"{call.to}.prod.svc.cluster.local"}[peer]

    def _record(
        self,
        trace: str,
        id: str,
        parent: str,
        part: tuple[str, str, str, str],
        kind: Kind,
        start: float,
        end: float,
        failed: bool,
        peer: str = "",
    ) -> None:
        service, version, instance, name = part
        took = max(0, round((end - start) * _SECOND))
        self.spans.append(
            Span(trace, id, parent, service, version, instance, name, kind, round(start * _SECOND), took, failed, peer)
        )

    def _id(self) -> str:
        self._ids += 1
        return f"{self._ids:016x}"


def _spread(dice: random.Random, family: Family) -> float:
    """Around one, with hiccups."""
    if dice.random() < 0.003:
        return dice.uniform(5, 20)
    if family == "heavy-tailed":
        return min(40.0, 0.6 * dice.paretovariate(2.2))
    if family == "bimodal":
        return dice.lognormvariate(log(0.5), 0.2) if dice.random() < 0.75 else dice.lognormvariate(log(2.5), 0.2)
    return dice.lognormvariate(0, 0.3)
