"""Incidents: what went wrong, which service did it, and the proof; alarms; or that nothing is wrong."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import streamlit as st

from dashboards import ask, ask_engine, figures, finding_sheet, reads, webhook_sheet
from dashboards.incident_view import show
from dashboards.palette import palette
from dashboards.verbatim import plain
from dashboards.window import Window

REFRESH_SECONDS = 5
CHECKED_MINUTES = 15


def draw() -> None:
    """Reads the list and draws it with the chosen incident beside it."""
    away = webhooks()[1]
    if away:
        webhook_sheet.away(away)
    with ask.answered():
        found = reads.incidents(ask.rows)
        broken = reads.alarms(ask.rows)
        for row in broken:
            alarm(row, datetime.now(UTC))
        if not away and not broken and not any(row["state"] == "open" for row in found):
            nothing_wrong()
        if found:
            browse(found)


def who_is_told() -> None:
    """By itself, so that what is above neither waits for a test nor moves what was opened here."""
    told, away = webhooks()
    if not away:
        webhook_sheet.show(told)


def webhooks() -> tuple[list[dict[str, Any]] | None, str]:
    """What the engine says of its webhooks, None when nobody said where it is; and why it does not answer."""
    try:
        return (ask_engine.webhooks() if ask_engine.engine_url() else None), ""
    except ask_engine.EngineAway as error:
        return None, str(error)


def alarm(row: dict[str, Any], now: datetime) -> None:
    """An objective or rule that does not hold, who looks after it, and the SQL that shows it."""
    said = f"**{plain(row['title'])}**, {figures.ago(row['opened_at'], now)}: {plain(row['why'])}"
    said += f" · {_owner(row)}"
    tell = st.error if row["severity"] == "critical" else st.warning
    tell(f"{said} · [SQL](sql?run=true&sql={quote(row['sql'])})", icon=":material/notifications_active:")


def _owner(row: dict[str, Any]) -> str:
    return (
        f"{plain(row['owner'])} looks after it"
        if row["owner"]
        else f"nobody looks after it yet: `whymesh ack {row['id']}`"
    )


def nothing_wrong() -> None:
    """Says that nothing is wrong and what that rests on, or that there is too little to tell."""
    window = Window.last(CHECKED_MINUTES, datetime.now(UTC))
    services = reads.services(ask.rows, window)
    calls = sum(row["calls"] for row in services)
    if not calls:
        st.info(
            f"**Not enough data to tell.** No request was recorded in the last {CHECKED_MINUTES} minutes. "
            "Send traffic through the mesh (`whymesh demo` does), then look again.",
            icon=":material/hourglass_empty:",
        )
        return
    errors = figures.share(sum(row["errors"] for row in services) / calls)
    st.success(
        f"**Nothing is wrong.** {calls:,} requests to {len(services)} services in the last {CHECKED_MINUTES} minutes, "
        f"{errors} failed, and no incident is open.",
        icon=":material/check_circle:",
    )


def browse(found: list[dict[str, Any]]) -> None:
    """The list on the left, the chosen incident on the right."""
    by_id = {row["id"]: row for row in found}
    with st.container(key="beside"):
        left, right = st.columns([0.27, 0.73], gap="large")
    now = datetime.now(UTC)
    with left:
        chosen = st.radio(
            "Incidents",
            list(by_id),
            format_func=lambda key: _headline(by_id[key]),
            captions=[_caption(row, now) for row in found],
            key="id",
            bind="query-params",
        )
    with right:
        text = reads.finding(ask.rows, chosen or "")
        if text is None:
            st.info("This incident is no longer in the store.")
            return
        try:
            sheet = finding_sheet.read(text)
        except ValueError as error:
            st.error(f"The finding of incident {chosen} cannot be read: {error}")
            return
        show(sheet, palette(st.context.theme.type), now)


def _headline(row: dict[str, Any]) -> str:
    badge = ":red-badge[open]" if row["state"] == "open" else ":green-badge[resolved]"
    return f"{badge} **{plain(row['title'])}**"


def _caption(row: dict[str, Any], now: datetime) -> str:
    return f"{row['signal']} · {figures.ago(row['opened_at'], now)} · confidence {figures.share(row['confidence'])}"


st.fragment(draw, run_every=REFRESH_SECONDS)()
st.fragment(who_is_told, run_every=REFRESH_SECONDS)()
