"""Draws one incident: culprit, symptom, course, ranking, what was ruled out, examples, the SQL behind each claim."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

import streamlit as st

from dashboards import ask, figures, finding_sheet, reads, series_chart
from dashboards.finding_sheet import FindingSheet
from dashboards.palette import Palette
from dashboards.trace_view import show_trace
from dashboards.verbatim import plain
from dashboards.window import Window
from rootcause.explain.apart import apart
from rootcause.explain.quantities import added_ms

MARGIN = timedelta(minutes=3)
CHART_HEIGHT = 250


def show(sheet: FindingSheet, colours: Palette, now: datetime) -> None:
    """The whole proof, the conclusion first."""
    _heading(sheet, now)
    _facts(sheet)
    if sheet.change:
        _change(sheet.change, sheet.opened_at)
    _notes(sheet)
    _evidence(sheet)
    _course(sheet, colours, now)
    _path(sheet)
    _ranking(sheet)
    _ruled_out(sheet)
    _examples(sheet, colours)


def _heading(sheet: FindingSheet, now: datetime) -> None:
    is_open = sheet.state == "open"
    st.subheader(plain(sheet.title), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(sheet.state or "unknown", color="red" if is_open else "green")
        if sheet.opened_at:
            until = now if is_open else sheet.resolved_at or now
            since = sheet.reopened_at or sheet.opened_at
            lasted = figures.duration((until - since).total_seconds() * 1e9)
            course = f"opened {figures.clock(since)} · {'lasting' if is_open else 'lasted'} {lasted}"
            course += _came_back(sheet)
            st.caption(plain(f"began {sheet.began} · {course}" if sheet.began else course))
    st.caption(_owner(sheet))


def _came_back(sheet: FindingSheet) -> str:
    if not sheet.reopened_at or not sheet.opened_at:
        return ""
    often = f"{sheet.reopened} times" if sheet.reopened > 1 else "once"
    return f" · came back {often}, opened first {figures.clock(sheet.opened_at)}"


def _owner(sheet: FindingSheet) -> str:
    """Its id, and who looks after it; what to type for what a page that knows nobody cannot do."""
    told = f"Incident {plain(sheet.id)}" + (" · silenced: no webhook is told" if sheet.held_back else "")
    if sheet.acknowledged:
        return f"{told} · {plain(str(sheet.acknowledged.get('by', '')))} looks after it"
    if sheet.state == "open" and sheet.id:
        return f"{told} · nobody looks after it yet: `whymesh ack {sheet.id}`"
    return told


def _notes(sheet: FindingSheet) -> None:
    """What people said: who looks after it, then notes, the oldest first."""
    said = [*([sheet.acknowledged] if sheet.acknowledged else []), *sheet.notes]
    for note in said:
        at = finding_sheet.moment(note.get("time"))
        if text := str(note.get("text") or ""):
            st.info(plain(f"{figures.clock(at) if at else ''} {note.get('by', '')}: {text}"), icon=":material/comment:")


def _facts(sheet: FindingSheet) -> None:
    unit = str(sheet.symptom.get("unit") or "")
    where = " ".join(str(sheet.symptom.get(key) or "") for key in ("service", "route")).strip()
    share = sheet.contribution.get("share")
    facts = [
        ("Culprit", sheet.culprit_name, _below_service(sheet.culprit)),
        (
            f"Symptom: {sheet.symptom.get('signal', '')}",
            figures.change(sheet.symptom.get("baseline"), sheet.symptom.get("observed"), unit),
            where,
        ),
        (
            "Contribution",
            figures.measured(sheet.contribution.get("value"), str(sheet.contribution.get("unit") or unit)),
            f"{figures.share(share)} of the degradation" if share is not None else "",
        ),
        ("Confidence", figures.share(sheet.confidence), "that this is the root cause"),
    ]
    for column, (label, value, note) in zip(st.columns(4, border=True), facts, strict=True):
        column.html(
            f'<div class="fact-label">{escape(label)}</div><div class="fact-value">{escape(value)}</div>'
            f'<div class="fact-note">{escape(note) or "&nbsp;"}</div>'
        )


def _below_service(culprit: Mapping[str, Any]) -> str:
    route = f"route {culprit['route']}" if culprit.get("route") else ""
    return ", ".join(part for part in (route, apart(culprit)) if part)


def _course(sheet: FindingSheet, colours: Palette, now: datetime) -> None:
    """The symptom over time, from before the baseline until after the end."""
    begin = sheet.baseline[0] if sheet.baseline else sheet.opened_at
    if begin is None or not sheet.symptom.get("service"):
        return
    end = min(now, (sheet.resolved_at or now) + MARGIN)
    window = Window.around(begin, end, timedelta(0))
    service, route = str(sheet.symptom["service"]), str(sheet.symptom.get("route") or "")
    rows = reads.service_series(ask.rows, window, service, route)
    title, lines, unit = _drawn(str(sheet.symptom.get("signal")), window)
    shaded = []
    known = (sheet.opened_at, sheet.incident and sheet.incident[0])
    begun = finding_sheet.moment(sheet.onset.get("at")) or min((at for at in known if at), default=None)
    if begun:
        shaded = [series_chart.Span(begun, sheet.resolved_at or end, "incident")]
    marks = []
    changed = finding_sheet.moment((sheet.change or {}).get("time"))
    if changed:
        marks = [series_chart.Mark(changed, str((sheet.change or {}).get("kind") or "change"))]
    st.markdown(f"**{title} of {plain(service)}** {plain(route)}")
    st.echarts_chart(
        series_chart.option(rows, lines, unit, colours, shaded, marks),
        height=CHART_HEIGHT,
        key="symptom",
        alt=f"{sheet.symptom.get('signal')} of {service} over time, the incident shaded",
    )


def _drawn(signal: str, window: Window) -> tuple[str, Sequence[series_chart.Line], str]:
    """What is charted of a symptom: its name, lines and unit."""
    if signal == "errors":
        return "Errors", series_chart.ERRORS, "%"
    if signal == "throughput":
        return "Requests", series_chart.rate_line(window.step), "/s"
    return "Time to answer", series_chart.MEAN, "ms"


def _change(change: Mapping[str, Any], opened_at: datetime | None) -> None:
    changed = finding_sheet.moment(change.get("time"))
    before = ""
    if changed and opened_at and opened_at >= changed:
        before = f", {figures.duration((opened_at - changed).total_seconds() * 1e9)} before it opened"
    summary = change.get("summary") or change.get("kind") or "a change"
    st.warning(f"**Changed just before{before}:** {plain(summary)}", icon=":material/difference:")


def _ranking(sheet: FindingSheet) -> None:
    st.markdown("**Ranking**")
    st.table(
        {
            "service": [f"**{plain(line.service)}**" for line in sheet.ranking],
            "explains": [figures.share(line.score) for line in sheet.ranking],
            "why": [plain(line.why) for line in sheet.ranking],
        },
        border="horizontal",
    )
    st.caption("Explains: so much of all waiting, or of all requests, is the time or the failures that it added.")


def _path(sheet: FindingSheet) -> None:
    """Whom requests wait for, then and now."""
    if sheet.path:
        st.markdown("**Where a request spends its time**")
        columns = {
            "where": [f"**{plain(part.where)}**" for part in sheet.path],
            "time": [figures.change(*part.change, "ms") for part in sheet.path],
            "added": [added_ms(part.added) for part in sheet.path],
        }
        if any(part.beside for part in sheet.path):
            columns["beside, not waited for"] = [figures.measured(part.beside, "ms") for part in sheet.path]
        st.table(columns, border="horizontal")
    for gap in sheet.gaps:
        st.caption(f"Less certain, for {plain(gap)}.")


def _ruled_out(sheet: FindingSheet) -> None:
    st.markdown("**Ruled out**")
    if not sheet.ruled_out:
        st.caption("Nothing was ruled out.")
        return
    st.table(
        {
            "service": [f"**{plain(service)}**" for service, _ in sheet.ruled_out],
            "why": [plain(why) for _, why in sheet.ruled_out],
        },
        border="horizontal",
    )


def _examples(sheet: FindingSheet, colours: Palette) -> None:
    if not sheet.exemplars:
        return
    st.markdown("**Example requests**")
    kinds = dict.fromkeys(sheet.counter_exemplars, "for comparison") | dict.fromkeys(sheet.exemplars, "affected")
    order = [*sheet.exemplars, *(trace for trace in sheet.counter_exemplars if trace not in sheet.exemplars)]
    chosen = st.selectbox(
        "Trace",
        order,
        format_func=lambda trace: f"{trace} · {kinds[trace]}",
        key="trace",
        bind="query-params",
    )
    if chosen:
        show_trace(chosen, colours, key="trace-drawn")


def _evidence(sheet: FindingSheet) -> None:
    if not sheet.evidence:
        return
    st.markdown("**Why**, with the SQL behind each statement")
    for item in sheet.evidence:
        with st.expander(plain(item.statement)):
            if not item.sql:
                st.caption("This statement carries no SQL.")
                continue
            st.code(item.sql, language="sql", wrap_lines=True)
            st.page_link(
                "views/sql_console.py",
                label="Run it on the SQL page",
                icon=":material/database:",
                query_params={"sql": item.sql, "run": "true"},
            )
