"""What was seen of the service graph in a stretch of time: the one input of the engine, whoever collected it.

In: nothing; these are plain values. Out: rows per service and per edge, in buckets of equal width.
Times are Unix seconds, durations milliseconds. Two windows, a normal one and the one in question, make a diagnosis.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar, cast

STEP_S = 10.0
"""Width of a bucket in seconds, that of the roll-ups."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A half-open stretch of time [start, end)."""

    start: float
    end: float

    def __contains__(self, time: float) -> bool:
        return self.start <= time < self.end

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of the durations of one row, in ms."""

    p50: float
    p90: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """Sums of one row over one step.

    `errors` failed towards the caller; `own_errors` failed with no failed call beneath to explain it (these may have
    been swallowed, so there can be more of them than errors). `own_ms` is time not spent waiting for a call, known for
    `own_calls` of the requests. Rows of edges leave the own figures at zero.
    """

    start: float
    calls: int
    errors: int = 0
    total_ms: float = 0.0
    own_errors: int = 0
    own_ms: float = 0.0
    own_calls: int = 0


@dataclass(frozen=True, slots=True)
class Served:
    """What one instance did with the requests it received on one route. `entry`: they came from outside. `made`: calls
    that they say they made; None where nobody says."""

    service: str
    version: str
    instance: str
    route: str
    entry: bool
    buckets: tuple[Bucket, ...]
    durations: Quantiles | None = None
    own: Quantiles | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)
    slow_trace: str = ""
    error_trace: str = ""
    made: int | None = None


@dataclass(frozen=True, slots=True)
class Called:
    """One end's view of an edge: `by_source` rows hold what the caller measured, the others what the callee did.

    `lost`: calls that the caller's proxy knows the callee did not answer; None where no proxy tells. `waited`: they are
    not known to go on after the caller has answered.
    """

    by_source: bool
    source: str
    destination: str
    source_instance: str
    destination_version: str
    destination_instance: str
    buckets: tuple[Bucket, ...]
    durations: Quantiles | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)
    slow_trace: str = ""
    error_trace: str = ""
    lost: int | None = None
    waited: bool = True


REQUEST = ""
"""The step that every request takes: being one."""
OF_TIME = "*"
"""The route of steps that are counted in buckets of time, for nothing says which requests they were part of."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that requests of a service and route do inside (a local span, a line logged, or `-> callee`): `often`
    holds, by how many times they did it, how many of the `requests` did; those that did not do it are left out.

    Only spans tell this; roll-ups leave it out. Where only some requests were looked at, each stands for `weight`.
    `part` is the stretch of the window's intervals that they began in.
    """

    service: str
    route: str
    name: str
    requests: int
    often: tuple[tuple[int, int], ...]
    weight: float = 1.0
    part: int = 0

    @property
    def present(self) -> int:
        """How many did it at least once."""
        return sum(many for _, many in self.often)


@dataclass(frozen=True, slots=True)
class Usage:
    """Shares (0..1 of what it may use) of `resource` that one instance had in use, one a sample."""

    service: str
    instance: str
    resource: str
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something one instance used, in the unit of `metric`, one a sample."""

    service: str
    instance: str
    metric: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Any metric of one instance, as it was measured: `values` at `times` (Unix seconds, in order)."""

    service: str
    instance: str
    metric: str
    times: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Requests and calls of a window. What was found of them is kept with them, for normal time is compared anew in
    each evaluation, and hardly ever changes."""

    served: tuple[Served, ...] = ()
    called: tuple[Called, ...] = ()
    found: dict[object, Any] = field(default_factory=dict, repr=False)


T = TypeVar("T")


def once(find: Callable[[Traffic], T]) -> Callable[[Traffic], T]:
    """`find`, asked once of the same traffic. What it gives belongs to all who ask: none may change it."""

    @wraps(find)
    def kept(traffic: Traffic) -> T:
        if find not in traffic.found:
            traffic.found[find] = find(traffic)
        return cast(T, traffic.found[find])

    return kept


_NO_TRAFFIC = Traffic()


@dataclass(frozen=True, slots=True)
class Window:
    """Everything seen in the given intervals (one, unless normal time was recorded in pieces). `captured`: the share
    (0..1) of its requests and calls that has a span, by service, as far as it is known. `on_path`: of the time that a
    service, or a link `source -> destination`, adds to normal time, the part that requests from outside wait for.
    `nodes` and `zones`: where each service's instance runs, as far as it is known."""

    intervals: tuple[Interval, ...]
    served: tuple[Served, ...] = ()
    called: tuple[Called, ...] = ()
    steps: tuple[Step, ...] = ()
    usage: tuple[Usage, ...] = ()
    amounts: tuple[Amount, ...] = ()
    series: tuple[Series, ...] = ()
    captured: Mapping[str, float] = field(default_factory=dict)
    on_path: Mapping[str, float] = field(default_factory=dict)
    nodes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    zones: Mapping[tuple[str, str], str] = field(default_factory=dict)
    traffic: Traffic = field(default=_NO_TRAFFIC, repr=False, compare=False)
    """`served` and `called`, the same in all windows that were made of one another without changing these."""

    def __post_init__(self) -> None:
        if self.traffic.served is not self.served or self.traffic.called is not self.called:
            object.__setattr__(self, "traffic", Traffic(self.served, self.called))

    @property
    def seconds(self) -> float:
        return sum(interval.seconds for interval in self.intervals)

    @property
    def covered_s(self) -> float:
        """Seconds in which requests from outside were seen: normal time may reach back to before there were any."""
        return STEP_S * len({bucket.start for row in self.served if row.entry for bucket in row.buckets})

    @property
    def start(self) -> float:
        return min((interval.start for interval in self.intervals), default=0.0)

    @property
    def end(self) -> float:
        return max((interval.end for interval in self.intervals), default=0.0)

    @property
    def services(self) -> frozenset[str]:
        seen = {row.service for row in self.served}
        return frozenset(seen | {name for row in self.called for name in (row.source, row.destination) if name})

    @property
    def entry_calls(self) -> int:
        """Requests from outside."""
        return sum(calls(row.buckets) for row in self.served if row.entry)


def calls(buckets: Iterable[Bucket]) -> int:
    """How many calls the buckets hold."""
    return sum(bucket.calls for bucket in buckets)


def errors(buckets: Iterable[Bucket]) -> int:
    """How many of the calls failed."""
    return sum(bucket.errors for bucket in buckets)


def own_errors(buckets: Iterable[Bucket]) -> int:
    """How many requests failed by the service's own doing."""
    return sum(bucket.own_errors for bucket in buckets)
