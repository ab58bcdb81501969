"""Rewrites the statements of sql/ for a cluster: ON CLUSTER, Replicated engines, Distributed tables over local ones.

In: a statement for one node. Out: the statements that do the same to all nodes, in order. Never: a name that readers
would have to change: `otel.<table>` is what they ask, on one node or many.
"""

import re
from dataclasses import dataclass
from typing import Final

from collector.store.indexes import Indexes, indexed
from collector.store.quoting import identifier, literal

_MADE: Final = re.compile(r"^CREATE (TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS otel\.(\w+)", re.MULTILINE)
_ALTERED: Final = re.compile(r"^ALTER TABLE otel\.(\w+)", re.MULTILINE)
_ENGINE: Final = re.compile(r"^ENGINE = (\w*MergeTree)(?:\((.*)\))?$", re.MULTILINE)
_FED: Final = re.compile(r" TO otel\.(\w+)")
_READ: Final = re.compile(r"\bFROM otel\.(\w+)")
_WINDOW: Final = re.compile(r"\bnon_replicated_deduplication_window\b")
# Which node a row goes to. A trace lies on one node; what is replaced by key must meet its older row.
_SHARDED_BY: Final = {
    "otel_traces": "cityHash64(TraceId)",
    "otel_traces_trace_id_ts": "cityHash64(TraceId)",
    "mesh_incidents": "cityHash64(Id)",
    "mesh_alarms": "cityHash64(Id)",
    "mesh_silences": "cityHash64(Service)",
    "mesh_ends": "cityHash64(TraceId)",
    "mesh_kept": "cityHash64(TraceId)",
    "mesh_pins": "cityHash64(TraceId)",
    "mesh_thinned": "cityHash64(Day)",
    "mesh_unkept": "cityHash64(TraceId)",
}
LEDGER: Final = "mesh_migrations"


@dataclass(frozen=True)
class Layout:
    """How the tables lie: on one node ('' as `cluster`), or on all of a cluster, `replicated` and `sharded` or not.

    Replicated tables use the macros {shard} and {replica} of the servers. `indexes` is the kind that spans and logs
    get; None leaves those of tables that are there.
    """

    cluster: str = ""
    replicated: bool = False
    sharded: bool = False
    indexes: Indexes | None = None

    def statements(self, sql: str) -> list[str]:
        """A migration, or the making of a table, as it is done here."""
        if made := _MADE.search(sql):
            return self._made(indexed(sql, self.indexes), made[1], made[2])
        if altered := _ALTERED.search(sql):
            return self._altered(sql, altered)
        return [sql]

    def database(self) -> str:
        """The statement that makes `otel`."""
        return f"CREATE DATABASE IF NOT EXISTS otel{self._everywhere}"

    def local(self, table: str) -> str:
        """The table that holds the rows of `otel.<table>` on each node."""
        return f"{table}_local" if self.sharded and table != LEDGER else table

    def of_local(self, table: str) -> str:
        """The table that readers ask, of the one that holds its rows."""
        return table.removesuffix("_local") if self.sharded else table

    def altered(self, table: str) -> str:
        """What stands behind ALTER TABLE."""
        return f"otel.{self.local(table)}{self._everywhere}"

    @property
    def _everywhere(self) -> str:
        return f" ON CLUSTER {identifier(self.cluster)}" if self.cluster else ""

    def _made(self, sql: str, kind: str, name: str) -> list[str]:
        local = self.local(name) if kind == "TABLE" else name
        sql = _MADE.sub(f"CREATE {kind} IF NOT EXISTS otel.{local}{self._everywhere}", sql, count=1)
        if kind == "MATERIALIZED VIEW":  # fed by what arrives at its own node
            sql = _FED.sub(lambda to: f" TO otel.{self.local(to[1])}", sql, count=1)
            sql = _READ.sub(lambda source: f"FROM otel.{self.local(source[1])}", sql)
        if self.replicated:
            sql = _WINDOW.sub("replicated_deduplication_window", self._replicated(sql, name))
        return [sql, self._distributed(name)] if kind == "TABLE" and local != name else [sql]

    def _replicated(self, sql: str, name: str) -> str:
        # What was applied is known to all nodes, whichever of them is asked.
        where = ("/clickhouse/tables/all", "{shard}-{replica}") if name == LEDGER else (
            "/clickhouse/tables/{shard}", "{replica}"
        )  # fmt: skip

        def engine(found: re.Match[str]) -> str:
            keys = f", {found[2]}" if found[2] else ""
            return f"ENGINE = Replicated{found[1]}('{where[0]}/otel/{name}', '{where[1]}'{keys})"

        return _ENGINE.sub(engine, sql)

    def _distributed(self, name: str) -> str:
        key = _SHARDED_BY.get(name, "rand()")
        return (
            f"CREATE TABLE IF NOT EXISTS otel.{name}{self._everywhere} AS otel.{self.local(name)}\n"
            f"ENGINE = Distributed({literal(self.cluster)}, otel, {self.local(name)}, {key})"
        )

    def _altered(self, sql: str, altered: re.Match[str]) -> list[str]:
        name = altered[1]
        of_node = _ALTERED.sub(f"ALTER TABLE {self.altered(name)}", sql, count=1)
        if self.local(name) == name or " COLUMN " not in sql:
            return [of_node]
        # It has no rows of its own: made anew, it has the columns of the node's.
        return [of_node, self._distributed(name).replace("CREATE TABLE IF NOT EXISTS", "CREATE OR REPLACE TABLE", 1)]
