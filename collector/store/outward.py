"""Refuses the functions through which a statement would reach beyond the store's own tables.

The engine has no grant for files, networks and executables (config.py), but that is not enough: `file` reads
any file as a value without asking, `sqlite` makes its file before it asks, `python` looks at objects of this
process, `eval` runs what a string says, ai* call a remote service, dict* read whatever fills a dictionary. So every
table function is refused that is not known to make its rows from nothing or from our tables, those of a newer engine
included. An engine of a table is written like a function and refused like it; `disk` would put a table's data anywhere.
"""

import json
import re
from collections.abc import Iterable
from typing import Final, Self

from collector.store.canonical import called_names, canonical
from collector.store.engine import Session
from collector.store.errors import ACCESS_DENIED, query_failed

_INWARD: Final = frozenset(
    {
        "values", "sqlstandardvalues", "null", "numbers", "numbers_mt", "zeros", "zeros_mt", "primes",
        "generaterandom", "generateseries", "generate_series", "fuzzjson", "format", "input", "view",
        "viewifpermitted", "viewexplain", "merge", "loop", "mergetreeindex", "mergetreeprojection",
        "mergetreetextindex", "mergetreecodecblockcounts", "mergetreeanalyzeindexes",
    }
)  # fmt: skip
_REMOTE: Final = re.compile(r"(?:ai|dict)[a-z]\w*\Z")


class Outward:
    """The functions that are refused; `names` in lower case."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names) | {"file", "disk"}
        # A text without backslash and without any of these words cannot call them, however it is written.
        words = "|".join(re.escape(name) for name in sorted(self._names))
        self._suspect = re.compile(rf"\\|\b(?:{words}|(?:ai|dict)[a-z]\w*)\b", re.IGNORECASE)

    @classmethod
    def of(cls, session: Session) -> Self:
        """All table functions of this engine but the inward ones."""
        answer = session.run("SELECT lower(name) FROM system.table_functions", "JSONCompact")
        return cls({row[0] for row in json.loads(answer.data)["data"]} - _INWARD)

    def suspects(self, sql: str) -> bool:
        """Whether `sql`, in any writing, may call one of them; no for most statements, at once."""
        return self._suspect.search(sql) is not None

    def refuse(self, form: str) -> None:
        """Raises QueryFailed (497) when canonical SQL calls one of them."""
        for name in called_names(form):
            if name in self._names or _REMOTE.match(name):
                raise query_failed(
                    ACCESS_DENIED,
                    f"{name}() is not to be had here: this store's doors read its own tables only. (ACCESS_DENIED)",
                )

    def refuse_rows(self, session: Session, rows: str) -> None:
        """The same for rows in the format Values, whose cells may be expressions. Raises QueryFailed (497, 62)."""
        if self.suspects(rows):
            session.set({"max_query_size": str(2 * len(rows.encode()) + 1000)})
            self.refuse(canonical(session, f"SELECT {rows.strip().rstrip(';')}"))
