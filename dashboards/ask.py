"""The one way of the pages to the store: a connection for each question, answers kept for a few seconds.

In: SQL and parameters. Out: rows. Never: a connection shared between two sessions, which are threads here.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import streamlit as st

from collector.store.client import Reader
from collector.store.errors import UNKNOWN_DATABASE, UNKNOWN_TABLE, QueryFailed, StoreUnavailable
from dashboards.verbatim import plain

DEFAULT_STORE = "clickhouse://127.0.0.1:9000/otel"
KEPT_SECONDS = 5
UNKNOWN_COLUMN = 47
OTHER_TABLES = frozenset({UNKNOWN_TABLE, UNKNOWN_DATABASE, UNKNOWN_COLUMN})
PAGE_SECONDS = 10  # a page that needs longer than this for one question is broken


def store_url() -> str:
    """The address of the store: WHYMESH_STORE, or this machine's collector."""
    return os.environ.get("WHYMESH_STORE") or DEFAULT_STORE


def rows(sql: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Runs one SELECT, or repeats the answer it had moments ago. Raises StoreUnavailable, QueryFailed."""
    return _kept(store_url(), sql, dict(params))


@st.cache_data(ttl=KEPT_SECONDS, max_entries=512, show_spinner=False)
def _kept(url: str, sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    with Reader(url, max_execution_time=PAGE_SECONDS) as reader:
        return reader.rows(sql, params or None)


@contextmanager
def answered() -> Iterator[None]:
    """Draws what it wraps; when the store cannot answer, says so in its place and what to do."""
    try:
        yield
    except StoreUnavailable as error:
        st.error(f"**The store is away.** {error}", icon=":material/cloud_off:")
        st.markdown(
            "The collector holds the store. If one was running, its log says why it ended; start it again. If none "
            "was, start a mesh with `whymesh demo` (the shop, with traffic) or `whymesh up -f mesh.yaml` (yours). "
            "If the collector runs elsewhere, set `WHYMESH_STORE=clickhouse://host:9000/otel` and start the UI again."
        )
    except QueryFailed as error:
        if error.code in OTHER_TABLES:
            st.error(f"**This store has other tables than this page knows.** {plain(error)}", icon=":material/update:")
            st.markdown(
                "Either it is no store of whymesh, or a collector of another version made it. "
                "The collector brings tables up to date when it starts: start the one of this version."
            )
            return
        st.error(f"**The store refused a question of this page.** {plain(error)}", icon=":material/error:")
