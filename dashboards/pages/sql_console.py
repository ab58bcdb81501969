"""SQL: ask the store anything, within bounds; the query is kept in the address of the page."""

import time
from dataclasses import dataclass

import streamlit as st

from collector.store.client import Reader, Table
from collector.store.errors import QueryFailed, StoreError, StoreUnavailable
from dashboards import ask, cells, reads
from dashboards.examples import EXAMPLES

ROW_BOUNDS = {"100 rows": 100, "1,000 rows": 1_000, "10,000 rows": 10_000}
ROW_BOUND = "1,000 rows"
SECONDS = 10
MEMORY_BYTES = 1 << 30
FIRST = next(iter(EXAMPLES))


@dataclass(frozen=True)
class Answer:
    """A result cut at its bound, and what it took."""

    table: Table
    seconds: float
    cut: bool
    estimate: str


def run(sql: str, bound: int) -> Answer:
    """Runs one query within the bounds. Raises StoreUnavailable, QueryFailed."""
    with Reader(
        ask.store_url(),
        max_execution_time=SECONDS,
        max_result_rows=bound,
        max_memory_usage=MEMORY_BYTES,
        result_overflow_mode="break",
    ) as reader:
        estimate = estimated(reader, sql)
        begin = time.perf_counter()
        table = reader.table(sql)
        seconds = time.perf_counter() - begin
    cut = len(table.rows) >= bound
    return Answer(Table(table.columns, table.rows[:bound]), seconds, cut, estimate)


def estimated(reader: Reader, sql: str) -> str:
    """What ClickHouse expects to read, in words; '' when it cannot tell before it runs."""
    try:
        expected = reader.rows(f"EXPLAIN ESTIMATE {sql}")
    except QueryFailed:
        return ""
    return ", ".join(f"{row['rows']:,} rows of {row['table']}" for row in expected)


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
    if answer.estimate:
        words.append(f"estimated to read {answer.estimate}")
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


def schema() -> None:
    """Tables and their columns; a search narrows both."""
    tables = reads.schema(ask.rows)
    wanted = st.text_input("Tables and columns", placeholder="find a column", key="find").lower()
    for table, columns in tables.items():
        matching = [(name, kind) for name, kind in columns if wanted in f"{table}.{name}".lower()]
        if not matching:
            continue
        with st.expander(table, expanded=bool(wanted), icon=":material/table:"):
            st.markdown("\n".join(f"- `{name}` :gray[{kind}]" for name, kind in matching))


def attempt(sql: str, bound: int) -> None:
    """Runs and shows, or says what ClickHouse said."""
    try:
        answer = run(sql, bound)
    except StoreUnavailable as error:
        st.error(f"**The store is away.** {error}", icon=":material/cloud_off:")
    except QueryFailed as error:
        st.error(f"**ClickHouse answered with error {error.code}.**", icon=":material/error:")
        st.code(error.message, language=None, wrap_lines=True)
    except StoreError as error:
        st.error(str(error))
    else:
        show(answer)


left, right = st.columns([0.74, 0.26], gap="large")
with right:
    st.selectbox("Examples", list(EXAMPLES), index=None, placeholder="take one", key="example", on_change=take_example)
    with ask.answered():
        schema()
with left:
    query, row_bound, run_now = editor()
    wanted_by_link = st.query_params.get("run") == "true"
    if (run_now or wanted_by_link or st.session_state.pop("run", False)) and query.strip():
        attempt(query, row_bound)
