"""Which traces of a day matter, and what becomes of the others, as SQL.

In: a day and what the operator finds worth keeping. Out: statements that decide, and statements that carry it out.
Never: a trace cut in two by chance: whether an ordinary one stays depends on its id alone; a decision taken twice.

A span that stays by chance stands for as many as its attribute mesh.adjusted_count says. The decision is repeatable:
what is in mesh_kept, or has that attribute, was decided before and stays.
"""

from __future__ import annotations

from datetime import date, timedelta

from pydantic import Field

from collector.part import Part

ADJUSTED = "mesh.adjusted_count"
REASONS = ("failed", "incident", "pinned", "slow", "rare")
_PARTS = 1_000_000
# Of WARN and above (OpenTelemetry, "Severity"), or said so by senders that give no number.
_LOUD = "(SeverityNumber >= 13 OR SeverityNumber = 0 AND match(SeverityText, '(?i)^(warn|err|fatal|crit|alert|emerg)'))"
_FRUGAL = "SETTINGS max_bytes_before_external_group_by = 536870912, max_threads = 2"


class Matters(Part):
    """What stays of a day once it is old enough."""

    after_days: int = Field(default=1, ge=1, description="Whole days before today of which everything stays.")
    sample: float = Field(default=0.05, ge=0, le=1, description="Share of ordinary traces that stays.")
    slow: float = Field(default=0.995, gt=0, lt=1, description="Traces with a span beyond this quantile stay.")
    rare: int = Field(default=20, ge=0, description="Traces of operations seen in at most so many that day stay.")
    logs: bool = Field(default=True, description="Logs below WARN go with their traces, those without one by chance.")


def decisions(day: date, terms: Matters) -> str:
    """TraceId, Reason (empty: ordinary) and Spans of each trace of a day that was not decided before."""
    return f"""
SELECT TraceId, multiIf(Failed, 'failed', Named, 'incident', Pinned, 'pinned', Slow, 'slow', Few, 'rare', '') AS Reason,
    Spans
FROM
(
    SELECT
        TraceId,
        countIf(StatusCode = 'Error') > 0 AS Failed,
        TraceId IN (SELECT arrayJoin(extractAll(Finding, '[0-9a-f]{{32}}')) FROM otel.mesh_incidents) AS Named,
        TraceId IN (SELECT TraceId FROM otel.mesh_pins) AS Pinned,
        countIf(Limit > 0 AND Duration > Limit AND {_ENTERED}) > 0 AS Slow,
        countIf(Rare) > 0 AS Few,
        countIf({_on(day)}) AS Spans,
        countIf(SpanAttributes['{ADJUSTED}'] != '') > 0 AS Decided
    FROM otel.otel_traces
    LEFT JOIN
    (
        SELECT ServiceName, SpanName, quantileIf({terms.slow})(Duration, {_ENTERED}) AS Limit,
            uniq(TraceId) <= {terms.rare} AS Rare
        FROM otel.otel_traces WHERE {_on(day)} GROUP BY ServiceName, SpanName
    ) AS operations USING (ServiceName, SpanName)
    WHERE Timestamp >= toDateTime64('{day}', 9) - INTERVAL 1 HOUR
        AND Timestamp < toDateTime64('{day}', 9) + INTERVAL 25 HOUR AND TraceId != ''
    GROUP BY TraceId
    HAVING Spans > 0 AND NOT Decided AND TraceId NOT IN ({_kept(day)})
)"""


def decide(day: date, terms: Matters) -> str:
    """Notes in mesh_kept which traces matter."""
    matter = f"SELECT toDate('{day}'), TraceId, Reason FROM ({decisions(day, terms)}) WHERE Reason != ''"
    return f"INSERT INTO otel.mesh_kept (Day, TraceId, Reason) {matter} {_FRUGAL}"


def plan(day: date, terms: Matters) -> str:
    """Reason (`sample`: ordinary, stays by chance; `goes`), Traces and Spans, as carrying it out would find them."""
    reason = f"multiIf(Reason != '', Reason, {_out('TraceId', terms)}, 'goes', 'sample')"
    return (
        f"SELECT {reason} AS Why, count() AS Traces, sum(Spans) AS Spans FROM ({decisions(day, terms)})"
        f" GROUP BY Why ORDER BY Why {_FRUGAL}"
    )


def changes(day: date, terms: Matters) -> list[str]:
    """Carries out what was decided, table by table. A failed span that comes meanwhile is never taken away."""
    spans = _thin("otel_traces", "SpanAttributes", "TraceId", "StatusCode = 'Error'", day, terms)
    id_or_row = "if(TraceId = '', concat(Body, toString(Timestamp)), TraceId)"
    logs = _thin("otel_logs", "LogAttributes", id_or_row, _LOUD, day, terms)
    # Those of which a span is left, on this day or beside it.
    window = f"Timestamp >= toDate('{day}') - 1 AND Timestamp < toDate('{day}') + 2"
    ids = (
        f"ALTER TABLE otel.otel_traces_trace_id_ts DELETE IN PARTITION ID '{day:%Y%m%d}'"
        f" WHERE TraceId NOT IN (SELECT TraceId FROM otel.otel_traces WHERE {window})"
    )
    return [spans, *([logs] if terms.logs else []), ids]


_ENTERED = "(SpanKind IN ('Server', 'Consumer') OR ParentSpanId = '')"


def _thin(table: str, attributes: str, identity: str, matters: str, day: date, terms: Matters) -> str:
    """One mutation: ClickHouse writes down that it has to be done, and goes on with it after a crash."""
    partition = f"IN PARTITION ID '{day:%Y%m%d}'"
    ordinary = (
        f"NOT {matters} AND {attributes}['{ADJUSTED}'] = ''"
        f" AND (TraceId = '' OR TraceId NOT IN ({_kept(day)} UNION ALL {_kept(day - timedelta(days=1))}))"
    )
    delete = f"DELETE {partition} WHERE {_out(identity, terms)} AND {ordinary}"
    if not terms.sample:
        return f"ALTER TABLE otel.{table} {delete}"
    adjusted = f"mapSort(mapUpdate({attributes}, map('{ADJUSTED}', '{1 / terms.sample:.6g}')))"
    update = f"UPDATE {attributes} = {adjusted} {partition} WHERE NOT {_out(identity, terms)} AND {ordinary}"
    return f"ALTER TABLE otel.{table} {delete}, {update}"


def _out(identity: str, terms: Matters) -> str:
    return f"(cityHash64({identity}) % {_PARTS} >= {round(terms.sample * _PARTS)})"


def _on(day: date) -> str:
    return f"toDate(Timestamp) = toDate('{day}')"


def _kept(day: date) -> str:
    return f"SELECT TraceId FROM otel.mesh_kept WHERE Day = toDate('{day}')"
