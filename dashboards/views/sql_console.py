"""SQL: ask the store anything, within bounds; the query is kept in the address of the page."""

import streamlit as st

from collector.store.errors import QueryFailed, StoreError
from dashboards import ask, cells, figures, reads
from dashboards.examples import EXAMPLES
from dashboards.querying import MEMORY_BYTES, SECONDS, Answer, attempt
from dashboards.verbatim import plain

ROW_BOUNDS = {"100 rows": 100, "1,000 rows": 1_000, "10,000 rows": 10_000}
ROW_BOUND = "1,000 rows"
FIRST = next(iter(EXAMPLES))


def take_example() -> None:
    """Puts the chosen example into the editor and runs it."""
    chosen = st.session_state.example
    if chosen:
        st.session_state.sql = EXAMPLES[chosen]
        st.session_state.run = True


def editor() -> tuple[str, int, bool]:
    """Draws the editor; returns the query, its row bound, and whether to run it."""
    if "sql" not in st.session_state and "sql" not in st.query_params:
        st.session_state.sql = EXAMPLES[FIRST]
        st.session_state.run = True
    sql = st.text_area("Query", height=270, key="sql", bind="query-params", label_visibility="collapsed")
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Run", type="primary", icon=":material/play_arrow:", shortcut="Ctrl+Enter")
        bound = st.segmented_control(
            "Rows at most",
            list(ROW_BOUNDS),
            default=ROW_BOUND,
            required=True,
            key="rows",
            bind="query-params",
            label_visibility="collapsed",
        )
        st.caption(f"Read-only. Bounds: rows shown, {SECONDS} s, {MEMORY_BYTES >> 30} GiB of memory.")
    return sql or "", ROW_BOUNDS[bound or ROW_BOUND], pressed


def show(answer: Answer) -> None:
    """The table, its figures and its downloads."""
    rows = len(answer.table.rows)
    words = [
        f"**{rows:,} rows**{' (cut at the bound)' if answer.cut else ''}",
        f"{answer.seconds * 1000:,.0f} ms",
    ]
    if answer.table.read_rows:
        words.append(f"read {answer.table.read_rows:,} rows{_size(answer.table.read_bytes)}")
    if answer.estimate:
        words.append(f"expected {answer.estimate}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(" · ".join(words), width="stretch")
        st.download_button("CSV", cells.as_csv(answer.table), "whymesh.csv", "text/csv", on_click="ignore")
        st.download_button("JSON", cells.as_json(answer.table), "whymesh.json", "application/json", on_click="ignore")
    st.dataframe(
        cells.columns(answer.table),
        hide_index=True,
        height="content" if rows <= 12 else 480,
        column_config={
            name: st.column_config.Column(help=kind)
            for name, (_, kind) in zip(
                cells.unique([name for name, _ in answer.table.columns]), answer.table.columns, strict=True
            )
        },
    )


def _size(read: int) -> str:
    return f", {figures.size(read)}" if read else ""


def schema() -> None:
    """Tables and their columns; a search narrows both."""
    tables = reads.schema(ask.rows)
    searched = st.text_input("Tables and columns", placeholder="find a column", key="find").lower()
    for table, columns in tables.items():
        matching = [(name, kind) for name, kind in columns if searched in f"{table}.{name}".lower()]
        if not matching:
            continue
        with st.expander(table, expanded=bool(searched), icon=":material/table:"):
            st.caption("  \n".join(f"**{plain(name)}** {plain(kind)}" for name, kind in matching))


def show_outcome(outcome: Answer | StoreError) -> None:
    """The result, or what ClickHouse said instead."""
    if isinstance(outcome, Answer):
        show(outcome)
    elif isinstance(outcome, QueryFailed):
        st.error(f"**ClickHouse answered with error {outcome.code}.**", icon=":material/error:")
        st.code(outcome.message, language=None, wrap_lines=True)
    else:
        st.error(f"**The store is away.** {plain(outcome)}", icon=":material/cloud_off:")


def wanted(sql: str) -> bool:
    """Whether the query is to be run without a press of the button: an example, or once for a link that says so."""
    if st.session_state.pop("run", False):
        return True
    linked = st.query_params.get("run") == "true" and st.session_state.get("linked") != sql
    st.session_state.linked = sql
    return linked


with st.container(key="beside"):
    left, right = st.columns([0.74, 0.26], gap="large")
with right:
    st.selectbox("Examples", list(EXAMPLES), index=None, placeholder="take one", key="example", on_change=take_example)
    with ask.answered():
        schema()
with left:
    query, row_bound, pressed = editor()
    if (wanted(query) or pressed) and query.strip():
        with st.spinner("The store answers …"):
            st.session_state.outcome = attempt(ask.store_url(), query, row_bound)
    if "outcome" in st.session_state:
        show_outcome(st.session_state.outcome)
