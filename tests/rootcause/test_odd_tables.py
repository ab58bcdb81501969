"""Recorded tables in every encoding that writers of Parquet choose: the verdict is the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.rootcause.recordings import INCIDENT, NORMAL, Meters, Wrong, log_rows, ranked, table

Odd = Callable[[pa.Table], pa.Table]

METERS = Meters(wrong=Wrong("adservice", "cpu", 12))


def column(of: pa.Table, name: str, values: object) -> pa.Table:
    return of.set_column(of.schema.get_field_index(name), name, values)


def cast(name: str, kind: pa.DataType) -> Odd:
    return lambda of: column(of, name, of[name].cast(kind, safe=False))


def dictionaries(of: pa.Table) -> pa.Table:
    for name in ("service", "name"):
        of = column(of, name, of[name].dictionary_encode())
    return of


def epoch(unit: str, kind: pa.DataType) -> Odd:
    return lambda of: column(
        of, "time", of["time"].cast(pa.timestamp(unit, "UTC"), safe=False).cast(pa.int64()).cast(kind)
    )


def without(*names: str) -> Odd:
    return lambda of: of.drop_columns(list(names))


def gaps(of: pa.Table) -> pa.Table:
    """Every fifth value is none that counts."""
    odd = [math.nan, math.inf, None]
    values = [odd[at % 3] if at % 5 == 0 else value for at, value in enumerate(of["value"].to_pylist())]
    return column(of, "value", pa.array(values, pa.float64()))


def shuffled_and_doubled(of: pa.Table) -> pa.Table:
    """In no order, with rows that are nobody's."""
    nobody = of.slice(0, 3).set_column(1, "service", pa.nulls(3, pa.string()))
    both = pa.concat_tables([nobody, of], promote_options="permissive")
    return both.take(pc.sort_indices(both["value"]))


ODD: dict[str, Odd] = {
    "nanoseconds": cast("time", pa.timestamp("ns", "UTC")),
    "milliseconds": cast("time", pa.timestamp("ms", "UTC")),
    "another zone": cast("time", pa.timestamp("us", "Asia/Tokyo")),
    "no zone": cast("time", pa.timestamp("us")),
    "seconds as integers": epoch("s", pa.int64()),
    "milliseconds as integers": epoch("ms", pa.int64()),
    "nanoseconds as integers": epoch("ns", pa.int64()),
    "seconds as floats": epoch("s", pa.float64()),
    "times as text": lambda of: column(
        of, "time", pc.strftime(of["time"].cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%S")
    ),
    "dictionaries": dictionaries,
    "large text": cast("service", pa.large_string()),
    "short floats": cast("value", pa.float32()),
    "no instances": without("instance"),
    "gaps": gaps,
    "no order": shuffled_and_doubled,
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_the_encoding_of_metrics_is_no_matter(tmp_path: Path, odd: Odd) -> None:
    before, since = (odd(table(METERS.rows(within))) for within in (NORMAL, INCIDENT))
    assert ranked(tmp_path, {"metrics": before}, {"metrics": since})[:1] == ["adservice"]


@pytest.mark.parametrize(
    "odd",
    [
        without("span_id"),
        without("severity"),
        cast("time", pa.timestamp("ns")),
        cast("severity", pa.large_string()),
        lambda of: column(of, "span_id", pa.array(["0" * 16] * of.num_rows)),
        lambda of: column(of, "body", of["body"].dictionary_encode()),
    ],
    ids=["no span_id", "no severity", "no zone", "large text", "span_id of zeros", "dictionaries"],
)
def test_the_encoding_of_logs_is_no_matter(tmp_path: Path, odd: Odd) -> None:
    before, since = table(log_rows(NORMAL)), table(log_rows(INCIDENT, "cartservice", severity="ERROR"))
    since = column(since, "body", pc.replace_substring(since["body"], "could not", "failed to"))
    assert ranked(tmp_path, {"logs": odd(before)}, {"logs": odd(since)}) == ["cartservice"]


@pytest.mark.parametrize(
    "described",
    [
        {"fault_start": "2023-07-22T05:26:40", "fault_end": "2023-07-22T05:29:40"},
        {"coverage": None},
        {
            "coverage": [
                ["2023-07-22T05:26:40Z", "2023-07-22T05:28:00Z"],
                ["2023-07-22T05:28:30Z", "2023-07-22T05:29:40Z"],
            ]
        },
        {
            "baseline": [
                ["2023-07-22T04:26:40Z", "2023-07-22T04:30:00Z"],
                ["2023-07-22T04:30:00Z", "2023-07-22T04:36:40Z"],
            ]
        },
        {"target": {"service": "frontend", "signal": "latency"}, "alert_time": "2023-07-22T05:27:00Z"},
        {"target": {"service": "frontend"}},
    ],
    ids=["no zone", "no coverage", "two parts", "two baselines", "a target", "a target without a signal"],
)
def test_the_description_may_say_more_or_less(tmp_path: Path, described: dict[str, object]) -> None:
    files = {"metrics": METERS.rows(NORMAL)}, {"metrics": METERS.rows(INCIDENT)}
    assert ranked(tmp_path, *files, **described)[:1] == ["adservice"]


@pytest.mark.parametrize("broken", [b"", b"PAR1 and no more"], ids=["empty", "cut off"])
def test_what_cannot_be_read_is_done_without(tmp_path: Path, broken: bytes) -> None:
    normal = {"metrics": METERS.rows(NORMAL), "logs": log_rows(NORMAL)}
    assert ranked(tmp_path, normal, {"metrics": METERS.rows(INCIDENT), "logs": broken})[:1] == ["adservice"]


def test_a_table_without_rows_or_columns_is_as_good_as_none(tmp_path: Path) -> None:
    normal, empty = {"metrics": METERS.rows(NORMAL), "logs": pa.table({})}, pa.table({"time": pa.array([], pa.null())})
    assert ranked(tmp_path, normal, {"metrics": METERS.rows(INCIDENT), "logs": empty})[:1] == ["adservice"]


def test_a_column_that_is_needed_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{name: value for name, value in row.items() if name != "value"} for row in METERS.rows(INCIDENT)]
    assert ranked(tmp_path, {"metrics": METERS.rows(NORMAL)}, {"metrics": rows}) == []
    assert "metrics.parquet: has no column 'value'" in caplog.text
