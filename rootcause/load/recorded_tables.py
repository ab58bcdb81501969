"""Reads the log lines and metric samples of recorded incidents.

In: Parquet files in the layout of published suites. Out: lines, series. Files read last are kept, for cases share
those of normal time. Raises CaseRefused, which names the file.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from pathlib import Path

from rootcause.load.log_patterns import Log
from rootcause.load.severity import severity_of
from rootcause.load.tables import Column, number, rows, seconds, text
from rootcause.load.window import Series

_KEPT = 16
_JOINED = ("_", "-", ".", ":", "/")
_LINES = (
    Column("time", seconds, needed=True),
    Column("service", text, needed=True),
    Column("severity", text),
    Column("span_id", text),
    Column("body", text, needed=True),
)
_SAMPLES = (
    Column("time", seconds, needed=True),
    Column("service", text, needed=True),
    Column("instance", text),
    Column("name", text, needed=True),
    Column("value", number, needed=True),
)


@lru_cache(_KEPT)
def logs(path: Path) -> tuple[Log, ...]:
    """The log lines of a recorded file; none when there is no such file."""
    return tuple(
        Log(time, service, severity_of(severity), _span(span), body)
        for time, service, severity, span, body in rows(path, _LINES)
    )


def _span(recorded: str) -> str:
    """The id as spans have it; of a line outside of any it is empty, or zeros."""
    id = recorded.lower().removeprefix("0x")
    return id if id.strip("0") else ""


@lru_cache(_KEPT)
def series(path: Path) -> tuple[Series, ...]:
    """The samples of a recorded file by service, instance and metric, in order of time; none when there is no such
    file."""
    found: dict[tuple[str, str, str], tuple[array[float], array[float]]] = {}
    for time, service, instance, name, value in rows(path, _SAMPLES):
        key = service, instance, _bare(name, service)
        times, values = found.get(key) or found.setdefault(key, (array("d"), array("d")))
        times.append(time)
        values.append(value)
    return tuple(Series(*key, *_in_order(*points)) for key, points in found.items())


def _bare(name: str, service: str) -> str:
    """Without the service, which tables that had a column for each metric of each service have in front."""
    rest = name.removeprefix(service)
    return rest[1:] if rest != name and rest[:1] in _JOINED and len(rest) > 1 else name


def _in_order(times: array[float], values: array[float]) -> tuple[array[float], array[float]]:
    order = sorted(range(len(times)), key=times.__getitem__)
    return array("d", (times[at] for at in order)), array("d", (values[at] for at in order))
