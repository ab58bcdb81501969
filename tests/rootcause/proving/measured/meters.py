"""Measures a generated system the way collectors do: columns of every second, pods by the minute, counters, containers.

In: a world, what it lived through, what is wrong. Out: rows of metrics (time, service, instance, name, value).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.rootcause.proving.measured.lived import Lived, Second, Sway
from tests.rootcause.proving.measured.trouble import Trouble
from tests.rootcause.proving.measured.world import Service, World

Row = dict[str, Any]
Values = Mapping[str, float | None]
GREW_S = 60.0
"""After which a fault uses all the memory that it will."""


@dataclass(frozen=True)
class Sample:
    """Of `over` seconds up to `time`. `recent` is what tables' rates and quantiles are taken from."""

    time: float
    over: float
    asked: int
    failed: int
    took: Sequence[float]
    waited: Sequence[float]
    recent: Sequence[Second]
    cpu: float
    throttled: float
    memory: float
    disk: float
    sockets: float
    received: float
    sent: float
    restarts: int


def samples(world: World, lived: Lived, wrong: Trouble, step: int, seed: str) -> Iterator[tuple[Service, Sample]]:
    """Of every service, in order of time; none while it is dead."""
    for name, service in world.services.items():
        meter = _Meter(world, service, wrong if wrong.service == name else None, random.Random(f"{seed} {name} meter"))
        seconds = lived.seconds[name]
        for at in range(step, len(seconds) + 1, step):
            sample = meter.read(lived.start + at, seconds[max(0, at - world.window_s) : at], seconds[at - step : at])
            if wrong.service != name or at > wrong.killed_s:
                yield service, sample


class _Meter:
    """Resources of one instance."""

    def __init__(self, world: World, service: Service, wrong: Trouble | None, dice: random.Random) -> None:
        self._service, self._wrong, self._dice = service, wrong, dice
        always = random.Random(f"{world.seed} {service.name} always")
        self._cpu = Sway(dice, always.choice((0.1, 0.2)), 60, 200)
        self._disk = Sway(dice, always.choice((0.3, 0.6)), 30, 120)
        self._collected = dice.uniform(0, service.collected_s)
        self._job = dice.uniform(0, service.job_s)
        self._age = 0.0

    def read(self, time: float, recent: Sequence[Second], seconds: Sequence[Second]) -> Sample:
        service, wrong, dice = self._service, self._wrong, self._dice
        over = len(seconds)
        self._age += over
        asked = sum(len(one.took) for one in seconds)
        cpu = (service.cpu + asked / over * service.cpu_ms / 1000) * self._mean(self._cpu, over)
        disk = service.disk * (0.2 + asked / over / 10) * self._mean(self._disk, over)
        if service.job_s and (self._job + self._age) % service.job_s < 30:
            cpu, disk = 2 * cpu, 5 * disk + 1e4
        garbage = (self._collected + self._age) % service.collected_s / service.collected_s
        memory = service.memory * (1 + service.garbage * garbage) * dice.gauss(1, 0.003)
        sockets = service.sockets + asked / over * dice.uniform(0.5, 1) + dice.randrange(3)
        throttled, restarts = 0.0, 0
        if wrong is not None:
            cpu = max(cpu, wrong.cpu * service.limit * dice.uniform(0.85, 1.0))
            memory += wrong.memory * service.memory * min(1.0, self._age / GREW_S)
            disk += wrong.disk * dice.uniform(0.4, 1.0)
            sockets += wrong.sockets * dice.uniform(0.8, 1.0)
            restarts = int(wrong.killed_s > 0)
            memory *= 0.7 if restarts else 1.0
        if cpu > 0.8 * service.limit:
            throttled = over * (cpu / service.limit - 0.8) * 5
        received = asked / over * 900 * dice.lognormvariate(0, 0.1) + 40
        answers = asked - sum(one.failed for one in seconds)
        sent = answers / over * 2500 * dice.lognormvariate(0, 0.1) + 40
        return Sample(
            time,
            over,
            asked,
            sum(one.failed for one in seconds),
            sorted(ms for one in seconds for ms in one.took),
            sorted(ms for one in seconds for ms in one.waited),
            recent,
            min(cpu, service.limit),
            throttled,
            memory,
            disk,
            sockets,
            received * (1 - wrong.lost if wrong is not None else 1.0),
            sent,
            restarts,
        )

    @staticmethod
    def _mean(sway: Sway, seconds: int) -> float:
        return sum(sway.next() for _ in range(seconds)) / seconds


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """None of nothing."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def columns(world: World, lived: Lived, wrong: Trouble, seed: str) -> list[Row]:
    """A table with a column for each metric of each service, a row a second: rates over `window_s`, held between
    scrapes."""
    found: list[Row] = []
    held: dict[str, Values] = {}
    for service, one in samples(world, lived, wrong, 1, seed):
        if one.time % world.scraped_s == 0 or service.name not in held:
            took = sorted(ms for second in one.recent for ms in second.took)
            p50, p90 = quantile(took, 0.5), quantile(took, 0.9)
            held[service.name] = {
                "cpu": one.cpu,
                "mem": one.memory,
                "diskio": one.disk,
                "socket": float(round(one.sockets)),
                "workload": len(took) / len(one.recent),
                "error": sum(second.failed for second in one.recent) / len(one.recent),
                "latency-50": None if p50 is None else p50 / 1000,
                "latency-90": None if p90 is None else p90 / 1000,
            }
        found += _rows(service, one, {f"{service.name}_{name}": v for name, v in held[service.name].items()}, pod=False)
    return found


def minutes(world: World, lived: Lived, wrong: Trouble, seed: str) -> list[Row]:
    """Of every pod, once a minute."""
    found: list[Row] = []
    for service, one in samples(world, lived, wrong, 60, seed):
        values = {
            "CpuUsage(m)": 1000 * one.cpu,
            "CpuUsageRate(%)": 100 * one.cpu / service.limit,
            "MemoryUsage(Mi)": one.memory / 2**20,
            "MemoryUsageRate(%)": one.memory / 4e7,
            "SyscallWrite": one.disk / 100,
            "NetworkReceiveBytes": one.received * 60,
            "NetworkTransmitBytes": one.sent * 60,
            "PodServerLatencyP90(s)": (quantile(one.took, 0.9) or 0.0) / 1000,
            "PodClientLatencyP90(s)": (quantile(one.waited, 0.9) or 0.0) / 1000,
            "PodWorkload(Ops)": one.asked / 60,
            "PodSuccessRate(%)": 100 * (1 - one.failed / one.asked) if one.asked else None,
            "NodeCpuUsageRate(%)": 30.0,
        }
        found += _rows(service, one, values)
    return found


def counters(world: World, lived: Lived, wrong: Trouble, seed: str) -> list[Row]:
    """What a service mesh and the kubelet count, every 15 s."""
    found: list[Row] = []
    totals: dict[tuple[str, str], float] = {}
    for service, one in samples(world, lived, wrong, 15, seed):
        added = {
            "istio_requests_total": float(one.asked),
            "istio_requests_5xx_total": float(one.failed),
            "istio_request_duration_milliseconds_count": float(one.asked),
            "istio_request_duration_milliseconds_sum": sum(one.took),
            "container_cpu_usage_seconds_total": one.cpu * one.over,
            "container_cpu_cfs_throttled_periods_total": one.throttled,
            "container_network_receive_bytes_total": one.received * one.over,
            "container_network_transmit_bytes_total": one.sent * one.over,
            "container_fs_writes_bytes_total": one.disk * one.over,
        }
        for name, value in added.items():
            key = service.name, name
            totals[key] = totals.get(key, 1e4) + value
        values = {name: totals[service.name, name] for name in added} | {
            "container_memory_working_set_bytes": one.memory,
            "container_sockets": one.sockets,
            "container_spec_memory_limit_bytes": 4e9,
            "kube_pod_container_status_restarts_total": float(one.restarts),
        }
        found += _rows(service, one, values)
    return found


def containers(world: World, lived: Lived, wrong: Trouble, seed: str) -> list[Row]:
    """What a container engine tells of itself every 30 s; of requests nothing."""
    found: list[Row] = []
    for service, one in samples(world, lived, wrong, 30, seed):
        values = {
            "docker_cpu_total_pct": 100 * one.cpu,
            "docker_memory_usage_pct": one.memory / 4e9,
            "docker_memory_rss_total": one.memory,
            "docker_diskio_write_bytes": one.disk,
            "docker_network_in_bytes": one.received,
            "docker_network_out_bytes": one.sent,
        }
        found += _rows(service, one, values)
    return found


def _rows(service: Service, one: Sample, values: Values, *, pod: bool = True) -> list[Row]:
    at = datetime.fromtimestamp(one.time, UTC)
    instance = f"{service.name}-0" if pod else None
    return [
        {"time": at, "service": service.name, "instance": instance, "name": name, "value": value}
        for name, value in values.items()
        if value is not None
    ]
