"""The span of time a page looks at, aligned to the roll-ups' buckets so that equal questions have equal answers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MINUTE_SECONDS = 60
BUCKET_SECONDS = 10  # of mesh_edges and mesh_routes (docs/telemetry.md)
POINTS = 60  # a line needs no more points than that to show its shape


@dataclass(frozen=True)
class Window:
    """From `start` up to, not including, `end`; both aware and on a bucket's edge."""

    start: datetime
    end: datetime

    @classmethod
    def last(cls, minutes: int, now: datetime) -> "Window":
        """The `minutes` before `now`, and the bucket `now` is in."""
        end = _floor(now) + timedelta(seconds=BUCKET_SECONDS)
        return cls(end - timedelta(minutes=minutes), end)

    @classmethod
    def around(cls, start: datetime, end: datetime, margin: timedelta) -> "Window":
        """`start` to `end` with `margin` on both sides."""
        return cls(_floor(start - margin), _floor(end + margin) + timedelta(seconds=BUCKET_SECONDS))

    @property
    def complete(self) -> datetime:
        """Up to when the counting is over: the last bucket is still being filled."""
        return self.end - timedelta(seconds=BUCKET_SECONDS)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.start).total_seconds()

    @property
    def step(self) -> int:
        """Seconds a point of a time series covers: whole buckets, at most POINTS points; whole minutes if one or more,
        for of these the roll-ups keep sums."""
        step = max(1, round(self.seconds / POINTS / BUCKET_SECONDS)) * BUCKET_SECONDS
        return step if step < MINUTE_SECONDS else round(step / MINUTE_SECONDS) * MINUTE_SECONDS

    def bounds(self) -> dict[str, datetime]:
        """The two ends as parameters of a query."""
        return {"start": self.start, "end": self.end}


def _floor(moment: datetime) -> datetime:
    seconds = int(moment.timestamp()) // BUCKET_SECONDS * BUCKET_SECONDS
    return datetime.fromtimestamp(seconds, UTC)
