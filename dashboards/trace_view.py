"""Shows one trace of a list of candidates as a waterfall."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboards import ask, figures, reads, waterfall
from dashboards.palette import Palette


def trace_picker(spans: Sequence[dict[str, Any]], colours: Palette, key: str) -> None:
    """Slow and failing requests to choose from; the chosen one is drawn."""
    if not spans:
        st.caption("No examples in this window.")
        return
    by_trace = {span["trace"]: span for span in reversed(spans)}
    order = sorted(by_trace, key=lambda trace: (by_trace[trace]["status"] != "Error", -by_trace[trace]["duration"]))
    chosen = st.radio(
        "Slow and failing requests",
        order,
        format_func=lambda trace: _headline(by_trace[trace]),
        captions=[f"{trace} · {figures.clock(by_trace[trace]['time'])}" for trace in order],
        key=key,
        index=None,
    )
    if chosen:
        show_trace(chosen, colours, key=f"{key}-drawn")


def show_trace(trace: str, colours: Palette, key: str) -> None:
    """The waterfall of a trace, or a sentence when its spans are gone."""
    drawn = waterfall.bars(reads.trace(ask.rows, trace))
    if not drawn:
        st.caption(f"The spans of trace {trace} are no longer in the store.")
        return
    services = len({bar.service for bar in drawn})
    st.caption(
        f"Trace `{trace}` · {len(drawn)} spans of {services} services · {figures.duration(drawn[0].duration)} · "
        "pale bars: the call as its caller saw it"
    )
    st.echarts_chart(
        waterfall.option(drawn, colours),
        height=40 + waterfall.ROW_HEIGHT * len(drawn),
        key=key,
        renderer="svg",
        alt=f"Waterfall of trace {trace}: " + "; ".join(f"{b.service} {figures.duration(b.duration)}" for b in drawn),
    )


def _headline(span: dict[str, Any]) -> str:
    mark = ":red[failed]" if span["status"] == "Error" else "slow"
    return f"{figures.duration(span['duration'])} {mark} {span['code']} · {span['span']}"
