"""Beside the graph: one service or one call in detail."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboards import ask, figures, reads, series_chart
from dashboards.graph_picks import title
from dashboards.palette import NAMED, Palette
from dashboards.topology import Edge, Topology, Traffic
from dashboards.trace_view import list_traces
from dashboards.verbatim import plain
from dashboards.window import Window

CHART_HEIGHT = 150


def show_service(graph: Topology, name: str, window: Window, colours: Palette) -> None:
    """One service: figures, course, instances, routes, neighbours, example traces."""
    node = graph.node(name)
    if node is None:
        st.info(f"{plain(title(name))} is not in this window.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(title(name)), anchor=False, width="content")
        st.markdown(f":{NAMED[node.health]}-badge[{node.health}]")
        if node.suspect:
            st.badge("suspect", icon=":material/crisis_alert:", color="red")
    _figures(node.traffic, "own time", node.own_mean)
    course, instances, routes, calls, traces = st.tabs(["Course", "Instances", "Routes", "Calls", "Traces"])
    with course:
        _course(reads.service_series(ask.rows, window, name), window, colours)
    with instances:
        _instances(reads.instances(ask.rows, window, name), node.traffic.seconds)
    with routes:
        _routes(reads.routes(ask.rows, window, name))
    with calls:
        _neighbours("Callers", graph.callers(name), lambda edge: edge.source)
        _neighbours("Callees", graph.callees(name), lambda edge: edge.target)
    with traces:
        list_traces(reads.example_spans(ask.rows, window, name))


def show_edge(graph: Topology, source: str, target: str, window: Window, colours: Palette) -> None:
    """One edge: figures, course, pairs of instances, and what the mesh itself answered."""
    edge = graph.edge(source, target)
    if edge is None:
        st.info("This call is not in this window.")
        return
    st.subheader(f"{plain(title(source))} → {plain(target)}", anchor=False)
    _figures(edge.traffic, "link", edge.link_mean)
    course, pairs = st.tabs(["Course", "Instances"])
    with course:
        _course(reads.edge_series(ask.rows, window, source, target), window, colours)
    with pairs:
        _pairs(reads.edge_pairs(ask.rows, window, source, target))
    why = reads.reasons(ask.rows, window, source, target)
    if why:
        st.markdown(
            "**Answered by the mesh itself** " + ", ".join(f"**{plain(code)}** {count:,} times" for code, count in why)
        )
    st.caption(
        "As the caller saw it. Link: the caller's mean time less the callee's. "
        + graph.captured.sentence_of(source, target)
    )


def _figures(traffic: Traffic, extra: str, value: float | None) -> None:
    first = {
        "rate": figures.rate(traffic.rate),
        "errors": figures.share(traffic.error_share),
        extra: figures.duration(value),
    }
    second = {
        "p50": figures.duration(traffic.p50),
        "p95": figures.duration(traffic.p95),
        "p99": figures.duration(traffic.p99),
    }
    for line in (first, second):
        for column, (label, text) in zip(st.columns(3), line.items(), strict=True):
            column.html(f'<div class="fact-label">{label}</div><div class="fact-value">{text}</div>')


def _course(rows: list[dict[str, Any]], window: Window, colours: Palette) -> None:
    if not rows:
        st.caption("No calls in this window.")
        return
    charts = (
        ("Time to answer", series_chart.LATENCY, "ms"),
        ("Calls", series_chart.rate_line(window.step), "/s"),
        ("Errors", series_chart.ERRORS, "%"),
    )
    for heading, lines, unit in charts:
        st.caption(heading)
        st.echarts_chart(
            series_chart.option(rows, lines, unit, colours),
            height=CHART_HEIGHT,
            key=f"course-{heading}",
            alt=f"{heading} over time in {unit}",
        )


def _instances(rows: list[dict[str, Any]], seconds: float) -> None:
    st.table(
        {
            "version": [plain(row["version"] or figures.NOTHING) for row in rows],
            "instance": [plain(row["instance"] or figures.NOTHING) for row in rows],
            "rate": [figures.rate(row["calls"] / seconds) for row in rows],
            "errors": [figures.share(row["errors"] / row["calls"]) for row in rows],
            "own time": [
                figures.duration(row["own_sum"] / row["own_calls"] if row["own_calls"] else None) for row in rows
            ],
            "p95": [figures.duration(row["quantiles"][2]) for row in rows],
        },
        border="horizontal",
    )


def _routes(rows: list[dict[str, Any]]) -> None:
    st.table(
        {
            "route": [plain(f"{row['method']} {row['route']}") for row in rows],
            "calls": [f"{row['calls']:,}" for row in rows],
            "errors": [figures.share(row["errors"] / row["calls"]) for row in rows],
            "p50": [figures.duration(row["quantiles"][0]) for row in rows],
            "p95": [figures.duration(row["quantiles"][2]) for row in rows],
        },
        border="horizontal",
    )


def _neighbours(heading: str, edges: list[Edge], end: Callable[[Edge], str]) -> None:
    st.caption(heading)
    if not edges:
        st.markdown("none")
        return
    st.table(
        {
            "service": [plain(title(end(edge))) for edge in edges],
            "rate": [figures.rate(edge.traffic.rate) for edge in edges],
            "errors": [figures.share(edge.traffic.error_share) for edge in edges],
            "p95": [figures.duration(edge.traffic.p95) for edge in edges],
            "link": [figures.duration(edge.link_mean) for edge in edges],
        },
        border="horizontal",
    )


def _pairs(rows: list[dict[str, Any]]) -> None:
    st.table(
        {
            "from": [plain(title(row["caller"])) for row in rows],
            "to": [plain(row["callee"] or figures.NOTHING) for row in rows],
            "version": [plain(row["version"] or figures.NOTHING) for row in rows],
            "calls": [f"{row['calls']:,}" for row in rows],
            "errors": [figures.share(row["errors"] / row["calls"]) for row in rows],
            "p95": [figures.duration(row["quantiles"][2]) for row in rows],
        },
        border="horizontal",
    )
