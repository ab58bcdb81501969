"""Draws who is told of incidents and alarms: what became of the last message, what waits and why, and a test."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from collector.store.errors import StoreError
from dashboards import ask, ask_engine, figures, reads
from dashboards.verbatim import plain

Row = Mapping[str, Any]
_ADDRESS = re.compile(r"((?:\w+\+)?https?://[^\s,;]+)")


@dataclass(frozen=True)
class Trial:
    """What came of the last test: by webhook the error, empty when it was delivered; or why there was none."""

    at: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""


def show(told: Sequence[Row] | None) -> None:
    """`told` is what the engine says of its webhooks, None when nobody knows where it is."""
    with st.expander("Who is told", icon=":material/notifications:"):
        last = _last_messages()
        if told is None:
            _last(last)
            st.caption("`whymesh webhooks` lists the webhooks, `whymesh webhooks --test` tries them.")
        elif not told:
            st.markdown("Nobody: there are no webhooks. `webhooks.urls` in the settings of the engine names them.")
        else:
            _standings(told, last)


def _last_messages() -> dict[str, Row]:
    """By webhook; none while the store is away, as the page says above."""
    try:
        return {row["target"]: row for row in reads.deliveries(ask.rows)}
    except StoreError:
        return {}


def away(reason: str) -> None:
    """That nothing new is found: what the page shows is what the engine wrote before."""
    st.error(
        f"**The root-cause engine does not answer** at {_text(ask_engine.engine_url())}: {_text(reason)}. "
        "Below is what it found before; nothing new is found, and nobody is told, until it runs again.",
        icon=":material/cloud_off:",
    )


def _standings(told: Sequence[Row], last: Mapping[str, Row]) -> None:
    """Each webhook, and below it what came of the test, until the page is left."""
    if st.button("Send each a test message", icon=":material/send:", key="try-webhooks"):
        with st.spinner("Each has up to 20 s …"):
            st.session_state.tried = _tried()
    tried: Trial = st.session_state.get("tried", Trial())
    if tried.refusal:
        st.error(f"Not tried: {_text(tried.refusal)}", icon=":material/error:")
    for one in told:
        target = one["target"]
        st.markdown(f"{_text(target)}  \n{_wish(one)} · {_became(last.get(target))}{_waiting(one)}")
        if target in tried.errors:
            _outcome(tried.at, tried.errors[target])


def _last(last: Mapping[str, Row]) -> None:
    for target, row in last.items():
        st.markdown(f"{_text(target)}  \n{_became(row)}")
    if not last:
        st.markdown("No message is known of the last week.")


def _wish(one: Row) -> str:
    of = ", ".join(one["services"]) or "all services"
    return plain(f"of {of}" if one["severity"] == "warning" else f"of {of}, from {one['severity']} on")


def _became(row: Row | None) -> str:
    if row is None:
        return "no message is known of the last week"
    when = figures.ago(row["time"], datetime.now(UTC))
    became = "delivered" if row["delivered"] else f":red[not delivered]: {_text(row['error'])}"
    return f"last message ({plain(row['event'])}, {when}) {became}"


def _waiting(one: Row) -> str:
    if not one["waiting"]:
        return ""
    messages = "message waits" if one["waiting"] == 1 else "messages wait"
    return f" · :red[{one['waiting']} {messages}]" + (f": {_text(one['error'])}" if one["error"] else "")


def _outcome(at: str, error: str) -> None:
    if error:
        st.error(f"Test of {at} failed: {_text(error)}", icon=":material/error:")
    else:
        st.success(f"Test of {at} delivered", icon=":material/check_circle:")


def _tried() -> Trial:
    at = figures.clock(datetime.now(UTC))
    try:
        return Trial(at, {one["target"]: one["error"] for one in ask_engine.try_webhooks()})
    except ask_engine.EngineAway as error:
        return Trial(at, refusal=str(error))


def _text(sentence: str) -> str:
    """With addresses as they are: none of these is for people to follow."""
    parts = _ADDRESS.split(sentence)
    return "".join(f"`{part.replace('`', '')}`" if index % 2 else plain(part) for index, part in enumerate(parts))
