"""Security: which calls are encrypted and by whom they are made, what policies denied and why, who has certificates."""

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboards import ask, figures, reads, security_reads
from dashboards.captured import Captured
from dashboards.certificate_sheet import standing
from dashboards.graph_picks import title
from dashboards.palette import palette
from dashboards.trace_view import open_trace, opened_trace, show_trace
from dashboards.verbatim import plain
from dashboards.window import Window

REFRESH_SECONDS = 60  # what it shows is counted by the minute
RANGES = {"15 min": 15, "1 h": 60, "1 day": 1440}
RANGE = "1 h"
EXAMPLES_SHOWN = 12

Rows = list[dict[str, Any]]


def draw(minutes: int) -> None:
    """Reads and draws once."""
    with ask.answered():
        window = Window.last(minutes, datetime.now(UTC))
        edges = security_reads.protection(ask.rows, window)
        denied = security_reads.denials(ask.rows, window)
        if not edges and not denied:
            st.info("**No traffic was recorded in this time.** Nothing is known of how it would be protected.")
            return
        summary(edges, denied)
        st.caption(Captured.of(reads.captured(ask.rows, window)).sentence())
        protection(edges)
        denials(denied)
        example()
        certificates(window)


def summary(edges: Rows, denied: Rows) -> None:
    """Four figures: encrypted, in the clear, denied, would be denied."""
    inside = [row for row in edges if row["source"]]
    calls = sum(row["calls"] for row in inside)
    encrypted = sum(row["encrypted"] for row in inside)
    plaintext = sum(row["plaintext"] for row in edges)
    facts = {
        "encrypted": (
            figures.share(encrypted / calls if calls else None),
            "of calls between services, both ends proved",
        ),
        "in the clear": (f"{plaintext:,}", "calls where encryption was looked for"),
        "denied": (f"{sum(row['calls'] for row in denied if row['reason']):,}", "calls, by policies, tokens or TLS"),
        "would be denied": (f"{sum(row['calls'] for row in denied if row['audit']):,}", "calls, by policies in audit"),
    }
    for column, (label, (value, note)) in zip(st.columns(len(facts)), facts.items(), strict=True):
        column.html(
            f'<div class="fact-label">{label}</div><div class="fact-value">{value}</div>'
            f'<div class="fact-note">{note}</div>'
        )


def protection(edges: Rows) -> None:
    """A row for each edge, those in the clear first."""
    st.subheader("Calls", anchor=False)
    plaintext = [row for row in edges if row["plaintext"]]
    if plaintext:
        callers = ", ".join(sorted({plain(title(row["source"])) for row in plaintext}))
        st.warning(
            f"**Still in the clear: {callers}.** With `mtls: strict` these calls are refused.",
            icon=":material/lock_open:",
        )
    st.table(
        {
            "caller": [plain(title(row["source"])) for row in edges],
            "callee": [plain(row["target"]) for row in edges],
            "calls": [f"{row['calls']:,}" for row in edges],
            "protection": [protected(row) for row in edges],
            "caller's identity": [
                ", ".join(plain(one) for one in sorted(row["identities"])) or "not known" for row in edges
            ],
        },
        border="horizontal",
        alt="Every call with its protection and the identity of the caller",
    )


def protected(row: dict[str, Any]) -> str:
    """Of one edge, in a word or two."""
    if row["encrypted"] == row["calls"]:
        return ":green-badge[encrypted]"
    if row["encrypted"]:
        return f":orange-badge[encrypted {plain(figures.share(row['encrypted'] / row['calls']))}]"
    return ":red-badge[plaintext]" if row["plaintext"] else ":gray-badge[not looked for]"


def denials(denied: Rows) -> None:
    """By rule, with what it missed; each has a request to look at."""
    st.subheader("Denied", anchor=False)
    if not denied:
        st.success("No call was denied, and none would have been.", icon=":material/check_circle:")
        return
    st.table(
        {
            "calls": [f"{row['calls']:,}" for row in denied],
            "what": [f"{plain(title(row['source']))} → {plain(row['target'])}" for row in denied],
            "reason": [
                f":red-badge[{plain(row['reason'])}]"
                if row["reason"]
                else f":orange-badge[audit {plain(row['audit'])}]"
                for row in denied
            ],
            "rule": [plain(row["rule"] or figures.NOTHING) for row in denied],
            "missed": [plain(row["missed"] or figures.NOTHING) for row in denied],
        },
        border="horizontal",
        alt="Denied calls by rule",
    )
    with st.container(gap=None):
        for row in denied[:EXAMPLES_SHOWN]:
            st.button(
                f"{plain(title(row['source']))} → {plain(row['target'])} {plain(row['reason'] or row['audit'])}: "
                f"a request of {row['last']:%H:%M} UTC",
                key=f"open-{row['trace']}-{row['rule']}",
                type="tertiary",
                icon=":material/search:",
                on_click=open_trace,
                args=(row["trace"],),
            )


def example() -> None:
    """The request that was opened, as a waterfall."""
    trace = opened_trace()
    if trace:
        with st.container(border=True):
            show_trace(trace, palette(st.context.theme.type), key="waterfall")
            st.code(f"whymesh why {trace}", language=None)
            st.button("Close", icon=":material/close:", type="tertiary", on_click=open_trace, args=(None,))


def certificates(window: Window) -> None:
    """Those that end soonest first, how long they are good for, and what then; what else the authority did."""
    issued = security_reads.certificates(ask.rows, window)
    events = security_reads.authority(ask.rows, window)
    if not issued and not events:
        st.caption("Nobody has a certificate: the mesh has no authority, or not this collector.")
        return
    st.subheader("Certificates", anchor=False)
    told = [standing(row["issued"], row["ends"], window.end.timestamp()) for row in issued]
    late = [row["proxy"] for row, one in zip(issued, told, strict=True) if one.colour == "orange"]
    if late:
        st.warning(f"**Not renewed in time: {', '.join(plain(one) for one in late)}.**", icon=":material/timer:")
    st.table(
        {
            "proxy": [plain(row["proxy"]) for row in issued],
            "time left": [f":{one.colour}-badge[{one.left}]" for one in told],
            "what then": [one.then for one in told],
            "identity": [plain(row["identity"] or figures.NOTHING) for row in issued],
        },
        border="horizontal",
        alt="The certificate of each proxy, the one that ends soonest first",
    )
    if events:
        st.markdown("**The authority**")
        st.table(
            {
                "time (UTC)": [f"{row['time']:%m-%d %H:%M:%S}" for row in events],
                "what": [plain(row["summary"]) for row in events],
                "by": [plain(row["actor"]) for row in events],
            },
            border="horizontal",
        )


last = st.segmented_control("The last", list(RANGES), default=RANGE, required=True, key="last", bind="query-params")
st.fragment(draw, run_every=REFRESH_SECONDS)(RANGES[last or RANGE])
