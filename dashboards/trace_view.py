"""Shows one trace of a list of candidates as a waterfall."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboards import ask, figures, reads, waterfall
from dashboards.palette import Palette
from dashboards.verbatim import plain


def list_traces(spans: Sequence[dict[str, Any]]) -> None:
    """Failing requests, then slow ones, each a button that opens its trace."""
    if not spans:
        st.caption("No examples in this window.")
        return
    by_trace = {span["trace"]: span for span in reversed(spans)}
    with st.container(gap=None):
        _buttons(by_trace)
    st.caption("Open one: its waterfall is drawn under the graph.")


def _buttons(by_trace: Mapping[str, dict[str, Any]]) -> None:
    for trace in sorted(by_trace, key=lambda key: (by_trace[key]["status"] != "Error", -by_trace[key]["duration"])):
        st.button(_headline(by_trace[trace]), key=f"open-{trace}", type="tertiary", on_click=open_trace, args=(trace,))


def open_trace(trace: str | None) -> None:
    """Keeps the trace to show in the address of the page; None closes it."""
    if trace:
        st.query_params["trace"] = trace
    else:
        st.query_params.pop("trace", None)


def opened_trace() -> str | None:
    """The trace that the address of the page names."""
    return st.query_params.get("trace")


def show_trace(trace: str, colours: Palette, key: str) -> None:
    """The waterfall of a trace, or a sentence when its spans are gone."""
    drawn = waterfall.bars(reads.trace(ask.rows, trace))
    if not drawn:
        st.caption(f"The spans of trace {plain(trace)} are no longer in the store.")
        return
    services = len({bar.service for bar in drawn})
    took = figures.duration(drawn[0].duration)
    st.caption(
        f"Trace **{plain(trace)}** · {len(drawn)} spans of {services} services · {took} · "
        "pale bars: the call as its caller saw it"
    )
    st.echarts_chart(
        waterfall.option(drawn, colours),
        height=40 + waterfall.ROW_HEIGHT * len(drawn),
        key=key,
        renderer="svg",
        alt=f"Waterfall of trace {trace}: " + "; ".join(f"{b.service} {figures.duration(b.duration)}" for b in drawn),
    )
    st.page_link(
        "views/sql_console.py",
        label="Its spans on the SQL page",
        icon=":material/database:",
        query_params={"sql": reads.spans_sql(trace), "run": "true"},
    )


def _headline(span: dict[str, Any]) -> str:
    mark = ":red[failed]" if span["status"] == "Error" else "slow"
    what = plain(f"{span['code']} {span['span']}")
    return f"**{figures.duration(span['duration'])}** {mark} · {what} · {span['time']:%H:%M:%S} UTC"
