"""Blocks that ClickHouse writes end where `native_block_length` says, for every type that can be inserted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector import _columnar as columnar
from collector.store.migrate import OBJECTS, Migration
from tests.world.clickhouse import ClickHouse, clickhouse

TYPES = (
    "Int8", "UInt16", "Int32", "UInt64", "Int128", "UInt256", "Float32", "Float64", "BFloat16", "Bool", "String",
    "FixedString(7)", "Date", "Date32", "DateTime", "DateTime('Europe/Berlin')", "DateTime64(3)",
    "DateTime64(9, 'UTC')", "UUID", "IPv4", "IPv6", "Enum8('a,(' = 1, 'b\\')' = 2)", "Enum16('x' = 300)",
    "Decimal(9, 2)", "Decimal(18, 3)", "Decimal(38, 4)", "Decimal(76, 5)", "Nullable(String)",
    "Nullable(DateTime64(3))", "LowCardinality(String)", "LowCardinality(Nullable(String))", "Array(String)",
    "Array(Array(LowCardinality(String)))", "Map(LowCardinality(String), String)", "Map(String, UInt64)",
    "Array(Map(LowCardinality(String), String))", "Tuple(UInt8, LowCardinality(String))",
    "Tuple(a UInt8, `b c` Array(Nullable(String)))", "Array(Tuple(x String, y Float64))",
    "SimpleAggregateFunction(sum, UInt64)", "Point", "Ring", "Polygon", "MultiPolygon", "IntervalSecond",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with clickhouse(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


def check(block: bytes) -> None:
    assert columnar.native_block_length(block) == len(block)
    assert columnar.native_block_length(block + block) == len(block)
    for end in range(len(block)):
        assert columnar.native_block_length(block[:end]) == 0, end


@pytest.mark.parametrize("kind", TYPES)
def test_each_type(server: ClickHouse, kind: str) -> None:
    quoted = kind.replace("\\", "\\\\").replace("'", "\\'")
    random = "UInt64" if kind.startswith(("Simple", "Interval", "BFloat")) else quoted
    values = f"SELECT * FROM generateRandom('v {random}', 1, 5, 3) LIMIT 6"
    block = server.native(f"SELECT v::{kind} AS v, 'after' AS last FROM ({values})")
    check(block)


def test_every_column_of_every_table_but_aggregate_states(server: ClickHouse) -> None:
    for name in OBJECTS:
        if not name.endswith("_mv") and name != "otel_traces":
            server.execute(Migration.read(name).sql)
    tables = server.query("SELECT name FROM system.tables WHERE database = 'otel'")
    assert len(tables) >= 7
    for (table,) in tables:
        columns = "SELECT name, type FROM system.columns WHERE database = 'otel' AND table = "
        for name, kind in server.query(f"{columns}'{table}'"):
            block = server.native(f"SELECT defaultValueOfTypeName($${kind}$$) AS v FROM numbers(3)")
            if kind.startswith("AggregateFunction"):
                with pytest.raises(columnar.DecodeError, match="AggregateFunction"):
                    columnar.native_block_length(block)
            else:
                assert columnar.native_block_length(block) == len(block), (table, name, kind)


@pytest.mark.parametrize("kind", ["JSON", "Dynamic", "Variant"])
def test_what_cannot_be_walked_is_named(server: ClickHouse, kind: str) -> None:
    value = "$${}$$::JSON" if kind == "JSON" else "1::UInt8::Dynamic"
    block = server.native("SELECT 1::Variant(String, UInt8)" if kind == "Variant" else f"SELECT {value}")
    with pytest.raises(columnar.DecodeError, match=kind):
        columnar.native_block_length(block)
