"""Writes generated systems as published suites of node series: a folder a case, normal time once for all of them.

In: a system. Out: the folder that `rootcause.evaluate` reads, and answers.csv beside it. Cases lie days from normal
time, and every part has drifted since; some faults begin in the first row.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import exp
from pathlib import Path

from tests.rootcause.proving.broken import FELT_AT_NODES
from tests.rootcause.proving.build import build
from tests.rootcause.proving.faults import Effect, Effects
from tests.rootcause.proving.nodes import Measure, Nodes
from tests.rootcause.proving.profile import Profile
from tests.rootcause.proving.recorder import DAY_S, HOUR_S, recorder, summed, write_rows
from tests.rootcause.proving.system import System
from tests.rootcause.proving.traffic import Traffic
from tests.rootcause.proving.trials import Draw, Trial, trials

START = 1_700_006_400.0
FEWEST = 10
LARGEST = 45.0
"""Spans a request."""
MOST_A_SECOND = 25.0
RATES = (0.1, 0.3, 0.3, 1.0, 2.0)
OFTEN, MOST_OFTEN = 0.25, 60.0
"""A part of the systems is asked as often as that leaves so many spans a second."""
BUSY = 0.3
"""In parts of what is usual: who is asked seldom is idle."""
HICCUP_S, HICCUP_MS = 30.0, 400.0
NORMAL = "baseline/normal.edges.parquet"
ANSWERS = ("case_id", "service", "kind", "detail", "aliases", "source")


def systems(seed: int) -> Iterator[System]:
    """Those of this seed whose requests are no batches, asked every ten seconds to ten times a second."""
    for number in range(1_000 * seed, 1_000 * (seed + 1)):
        dice = random.Random(f"requests {number}")
        found = build(number)
        size = found.spans_a_second / found.rate
        if size <= LARGEST:
            often = dice.random() < OFTEN
            rate = MOST_OFTEN / size if often else min(dice.choice(RATES), MOST_A_SECOND / size)
            services = {name: replace(one, busy=BUSY * one.busy) for name, one in found.services.items()}
            yield replace(found, services=services, rate=rate, swing=0.0, spans_a_second=rate * size)


class Suite:
    """Of one system; some recorders say which front raised the alert, and how."""

    def __init__(self, system: System, folder: Path) -> None:
        self._system = system
        self._folder = folder
        self._dice = random.Random(f"suite {system.seed}")
        self._recorder = recorder(system)
        self._nodes = Nodes(system)
        self._fronts = sorted({self._nodes.chains[entry.service][0] for entry in system.entries})
        self._targets, self._before = self._dice.random() < 0.8, self._dice.random() < 0.5

    def write(self) -> None:
        """All of it."""
        (self._folder / "baseline").mkdir(parents=True)
        usual = Traffic(self._system, 0, Effects((), float("inf")))
        profile = Profile(self._system, usual.run(START, 1_000 / self._system.rate))
        draw = Draw(self._system, profile, random.Random(f"trials {self._system.seed}"))
        write_rows(self._folder / NORMAL, self._normal())
        with (self._folder / "graph.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("source", "destination"), *sorted(self._nodes.graph())])
        with (self._folder / "answers.csv").open("w", newline="") as file:
            answers = csv.writer(file)
            answers.writerow(ANSWERS)
            for number, trial in enumerate((*trials(draw, FELT_AT_NODES), *self._quiet(draw))):
                answers.writerows(self._case(f"{self._folder.name}-{number:03d}", trial))

    def _quiet(self, draw: Draw) -> Iterator[Trial]:
        """Nobody is to blame."""
        yield Trial("healthy: normal again", ())
        yield Trial("healthy: normal again", ())
        most = max(service.busy for service in self._system.services.values())
        yield Trial("healthy: a surge", (Effect("load", value=min(3.0, max(1.5, 0.45 / most))),))
        yield Trial("healthy: the night", (Effect("load", value=0.3),))
        yield Trial("healthy: another mix", (Effect("mix", value=0.3), Effect("entries", value=2.0)))
        found = draw.service()
        if found is not None:
            yield Trial("healthy: a hiccup", (Effect("slow", found.name, HICCUP_MS),))

    def _normal(self) -> list[dict[str, object]]:
        """Hour by hour, each drifted a little."""
        rec, rows = self._recorder, []
        for hour in range(round(rec.normal_s / HOUR_S)):
            begin = START + hour * HOUR_S
            load = Effect("load", value=rec.scale * rec.load(begin))
            measures = self._measures(_drifted(self._system, 0.03, self._dice), [load], begin, HOUR_S)
            rows += rec.rows(measures, begin, HOUR_S, self._dice)
        return rows

    def _measures(self, system: System, effects: Iterable[Effect], begin: float, seconds: float) -> list[Measure]:
        return self._felt(system, effects, begin, seconds)[0]

    def _felt(
        self, system: System, effects: Iterable[Effect], begin: float, seconds: float
    ) -> tuple[list[Measure], int]:
        """With how many requests met an effect."""
        traffic = Traffic(system, int(begin), Effects(effects, 0.0))
        traffic.run(begin, seconds)
        return self._nodes.measures(traffic), traffic.struck

    def _case(self, id: str, trial: Trial) -> Iterator[tuple[str, ...]]:
        """Its answer; nothing of a fault that hardly any request met."""
        dice, rec = self._dice, self._recorder
        days = round(dice.uniform(3, 60) * DAY_S) // 60 * 60
        start = START - days if self._before else START + rec.normal_s + days
        system, load = _drifted(self._system, 0.05, dice), Effect("load", value=rec.load(start))
        effects = trial.effects if any(one.kind == "load" for one in trial.effects) else (load, *trial.effects)
        usual = self._measures(system, [load], start, rec.case_s)
        now, met = self._felt(system, effects, start, rec.case_s)
        if not trial.healthy and met < FEWEST:
            return
        since, until = start, start + rec.case_s
        if not trial.healthy:
            since += dice.choice((0.0, 0.0, 0.3, 0.6)) * rec.step_s
        elif trial.kind == "healthy: a hiccup":
            since += dice.uniform(0.2, 0.7) * rec.case_s
            until = since + HICCUP_S
        seen = [one for one in usual if not since <= one.at < until]
        seen += [one for one in now if since <= one.at < until]
        self._write(id, start, seen, self._alert(usual, seen))
        guilty = [name for group in trial.culprits for part in sorted(group) for name in self._nodes.names(part)]
        yield id, guilty[0] if guilty else "", trial.kind, str(trial), "|".join(guilty[1:]), str(self._system.seed)

    def _write(self, id: str, start: float, seen: Sequence[Measure], target: dict[str, str]) -> None:
        rec, folder = self._recorder, self._folder / id
        folder.mkdir()
        write_rows(folder / "edges.parquet", rec.rows(seen, start, rec.case_s, self._dice))
        case = {
            "id": id,
            "suite": self._folder.name,
            "fault_start": _utc(start),
            "fault_end": _utc(start + rec.case_s),
            "alert_time": _utc(start + self._dice.uniform(1, 2) * rec.step_s),
            "baseline": [[_utc(START), _utc(START + rec.normal_s)]],
            "baseline_files": [NORMAL],
            "target": target if self._targets else None,
            "inputs": ["edges"],
        }
        (folder / "case.json").write_text(json.dumps(case))

    def _alert(self, usual: Sequence[Measure], seen: Sequence[Measure]) -> dict[str, str]:
        """The front that feels it most, in parts of all requests and of all waiting, and how."""
        before, now = summed(usual), summed(seen)
        fronts = [front for front in self._fronts if front in before and front in now]
        requests = sum(now[front][0] for front in fronts)
        waited = sum(now[front][1] for front in fronts)
        felt = [(0.0, self._fronts[0], "latency")]
        for front in fronts:
            times = now[front][0] / before[front][0]
            felt.append(((now[front][1] - times * before[front][1]) / waited, front, "latency"))
            felt.append(((now[front][2] - times * before[front][2]) / requests, front, "errors"))
        _, service, signal = max(felt)
        return {"service": service, "signal": signal}


def _drifted(system: System, by: float, dice: random.Random) -> System:
    """Every part takes a little more or less by itself than it used to."""
    leaves = {name: replace(leaf, ms=leaf.ms * exp(dice.gauss(0, by))) for name, leaf in system.leaves.items()}
    services = {}
    for name, service in system.services.items():
        times = exp(dice.gauss(0, by))
        routes = {title: replace(route, own_ms=times * route.own_ms) for title, route in service.routes.items()}
        services[name] = replace(service, routes=routes)
    return replace(system, services=services, leaves=leaves)


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
