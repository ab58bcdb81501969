"""Statements for a cluster: the engine itself parses each, and what they say is what was asked for."""

from __future__ import annotations

import itertools

import pytest

from collector.store.indexes import Indexes
from collector.store.layout import Layout
from collector.store.migrate import OBJECTS, Migration, script
from tests.world.stores import ServedStore

INDEXES: tuple[Indexes | None, ...] = (None, "text")
LAYOUTS = [
    Layout(cluster, replicated, sharded, indexes)
    for cluster, replicated, sharded in itertools.product(("", "prod-eu"), (False, True), (False, True))
    for indexes in INDEXES
    if cluster or not sharded
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_the_engine_parses_every_statement_of_every_layout(served: ServedStore, layout: Layout) -> None:
    with served.client() as client:
        for statement in script(layout):
            (first, *_) = client.execute(f"EXPLAIN AST {statement}")
            assert first[0].split()[0] in {"AlterQuery", "CreateQuery", "InsertQuery"}, statement


def test_one_node_is_made_by_the_files_as_they_are() -> None:
    statement = "CREATE TABLE IF NOT EXISTS otel.a\n(x Int8)\nENGINE = MergeTree\nORDER BY x"
    assert Layout().statements(statement) == [statement]


@pytest.mark.parametrize("layout", [one for one in LAYOUTS if one.cluster], ids=str)
def test_on_a_cluster_everything_is_made_on_all_nodes(layout: Layout) -> None:
    made = [statement for statement in script(layout) if "CREATE " in statement]
    assert all("ON CLUSTER `prod-eu`" in statement for statement in made)
    assert (
        any(
            "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/mesh_incidents', '{replica}', UpdatedAt)"
            in statement
            for statement in made
        )
        is layout.replicated
    )
    assert any("TYPE text(" in statement for statement in made) is (layout.indexes == "text")
    assert any("non_replicated_deduplication_window" in statement for statement in made) is not layout.replicated


def test_sharded_tables_keep_the_names_that_readers_ask() -> None:
    made = script(Layout("prod-eu", replicated=True, sharded=True))
    distributed = {
        name for name in OBJECTS for one in made if f"EXISTS otel.{name} ON" in one and "Distributed(" in one
    }
    altered = {name for name in OBJECTS if "ALTER TABLE" in Migration.read(name).sql}
    views = {name for name in OBJECTS if name.endswith("_mv")} | {"mesh_captured"}
    assert distributed == set(OBJECTS) - views - altered
    (view,) = [one for one in made if "EXISTS otel.mesh_edges_mv" in one]
    assert "TO otel.mesh_edges_local AS" in view
    assert "FROM otel.otel_traces_local\n" in view, "each node feeds its own"
    (captured,) = [one for one in made if "EXISTS otel.mesh_captured" in one]
    assert "FROM otel.mesh_edges\n" in captured, "a view that is only read reads all nodes"


def test_a_table_is_altered_on_every_node_and_in_front() -> None:
    sql = "ALTER TABLE otel.otel_traces ADD COLUMN IF NOT EXISTS Kept UInt8"
    assert Layout("prod").statements(sql) == [sql.replace("otel.otel_traces", "otel.otel_traces ON CLUSTER `prod`")]
    deleted = "ALTER TABLE otel.otel_traces DELETE WHERE TraceId = ''"
    assert Layout("prod", sharded=True).statements(deleted) == [
        deleted.replace("otel.otel_traces", "otel.otel_traces_local ON CLUSTER `prod`")
    ]
    of_node, in_front = Layout("prod", sharded=True).statements(sql)
    assert of_node.startswith("ALTER TABLE otel.otel_traces_local ON CLUSTER `prod` ADD COLUMN")
    assert in_front.startswith("CREATE OR REPLACE TABLE otel.otel_traces ON CLUSTER `prod` AS otel.otel_traces_local")
