"""Reads recorded incidents: a folder a case, as published suites are laid out.

In: a case folder with case.json, and the suite's baseline files it names. Out: intervals, and where its files are.
Times are UTC. Baseline rows inside the case's own incident are dropped, so that a quiet case is not its own normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from rootcause.load.window import Interval

SPANS = "spans.otlp.zst"
EDGES = "edges.parquet"
LOGS = "logs.parquet"
METRICS = "metrics.parquet"
CHANGES = "changes.json"
_RECOVERS_S = 60.0
"""What is measured so soon after an incident is neither of it nor normal."""


class CaseRefused(ValueError):
    """A folder is not a case, or a file of it cannot be read; the message names the file."""


Utc = Annotated[datetime, AfterValidator(lambda time: time if time.tzinfo else time.replace(tzinfo=UTC))]
"""A time without a zone is of the format's own."""
_NONE_IS_EMPTY = BeforeValidator(lambda given: () if given is None else given)
Stretches = Annotated[tuple[tuple[Utc, Utc], ...], _NONE_IS_EMPTY]
Names = Annotated[tuple[str, ...], _NONE_IS_EMPTY]


class Target(BaseModel):
    """The node that raised the alert."""

    service: str


Alerting = Annotated[Target, BeforeValidator(lambda given: {"service": given} if isinstance(given, str) else given)]
"""Some only name the node."""


class Rollout(BaseModel):
    """One entry of changes.json."""

    time: Utc
    service: str


_ROLLOUTS = TypeAdapter(tuple[Rollout, ...])


class CaseFile(BaseModel):
    """case.json. What it holds beyond this is not needed."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    id: str
    suite: str = ""
    fault_start: Utc
    fault_end: Utc
    baseline: Stretches
    baseline_files: Names
    coverage: Stretches = ()
    target: Alerting | None = None
    inputs: Names = ()
    alert_time: Any = None
    """Nothing is made of it, so that it may be anything."""

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> CaseFile:
        if self.fault_end <= self.fault_start:
            raise ValueError(f"fault_end ({self.fault_end}) is to be after fault_start ({self.fault_start})")
        return self


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded incident."""

    folder: Path
    file: CaseFile

    @property
    def incident(self) -> tuple[Interval, ...]:
        """The parts of the incident that have data; all of it where none of those told is of it."""
        return self.covered or (self.whole,)

    @property
    def whole(self) -> Interval:
        """The incident, whether there is data or not."""
        return Interval(self.file.fault_start.timestamp(), self.file.fault_end.timestamp())

    @property
    def covered(self) -> tuple[Interval, ...]:
        """The parts of the incident that are told to have data."""
        own = self.whole
        parts = [
            Interval(max(own.start, start.timestamp()), min(own.end, end.timestamp()))
            for start, end in self.file.coverage
        ]
        return tuple(part for part in parts if part.seconds > 0)

    def metered(self, looks_back_s: float) -> tuple[Interval, ...]:
        """When metrics tell of the incident, whose samples look back so far: most of what one tells has to be of it."""
        return (Interval(self.whole.start + looks_back_s / 2, self.whole.end + looks_back_s),)

    def normally_metered(self, until: float) -> tuple[Interval, ...]:
        """When metrics tell of normal time: baseline files of metrics hold all of it, the incident's own apart. What
        the incident's own file holds after it, up to `until`, is normal as far as the case says so."""
        recovered = self.whole.end + _RECOVERS_S
        told = (Interval(max(recovered, piece.start), piece.end) for piece in self.baseline)
        return Interval(-inf, self.whole.start), *told, Interval(max(recovered, until), inf)

    @property
    def baseline(self) -> tuple[Interval, ...]:
        """Normal time, without the incident's own."""
        own = self.whole
        pieces = []
        for start, end in self.file.baseline:
            first, last = start.timestamp(), end.timestamp()
            pieces += [Interval(first, min(last, own.start)), Interval(max(first, own.end), last)]
        return tuple(piece for piece in pieces if piece.seconds > 0)

    def changed(self, look_back_s: float) -> frozenset[str]:
        """Services that were rolled out so shortly before the fault, or while it went on. Raises CaseRefused."""
        path = self.folder / CHANGES
        if not path.exists():
            return frozenset()
        since, until = self.file.fault_start - timedelta(seconds=look_back_s), self.file.fault_end
        try:
            rollouts = _ROLLOUTS.validate_json(path.read_bytes())
        except ValidationError as error:
            raise CaseRefused(f"{path}: {_first(error)}") from None
        return frozenset(rollout.service for rollout in rollouts if since <= rollout.time <= until)

    def has(self, suffix: str) -> bool:
        """Whether both the incident and normal time have a file of this kind."""
        return (self.folder / suffix).exists() and bool(self.baseline_files(suffix))

    def baseline_files(self, suffix: str) -> list[Path]:
        """Baseline files of one kind."""
        return [self.folder.parent / name for name in self.file.baseline_files if name.endswith(suffix)]


def read_case(folder: Path) -> Case:
    """Raises CaseRefused."""
    path = folder / "case.json"
    try:
        return Case(folder, CaseFile.model_validate_json(path.read_bytes()))
    except OSError as error:
        raise CaseRefused(f"{path}: {error.strerror}; a case is a folder with a case.json") from None
    except ValidationError as error:
        raise CaseRefused(f"{path}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """What is wrong, and where; of a text that is no JSON there is no where."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


def folders_of(suite: Path) -> list[Path]:
    """All cases of a suite, by name. Raises CaseRefused when there are none."""
    folders = sorted(path.parent for path in suite.glob("*/case.json"))
    if not folders:
        raise CaseRefused(f"{suite}: no folder in it has a case.json")
    return folders
