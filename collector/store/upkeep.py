"""What a store looks up and removes in its tables, in SQL that both homes understand.

In: a session that may define tables of `otel`. Out: parts, and whether rows are there.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from collector.keep.expiry import KINDS, Drop, Part
from collector.store.layout import Layout
from collector.store.quoting import identifier, literal

# A block whose columns are not the table's is an error, not a row of defaults.
STRICT: Final = {"input_format_skip_unknown_fields": "0"}
# Has no rows: what is inserted feeds the views.
UNKEPT: Final = "mesh_unkept"
# With a token: stored once, in the table and in each table that a view feeds from it. Without: equal rows are rows.
ONCE: Final = {"insert_deduplicate": "1", "deduplicate_blocks_in_dependent_materialized_views": "1"}
ALWAYS: Final = {"insert_deduplicate": "0"}


class Session(Protocol):
    """One connection to a ClickHouse. Its methods raise QueryFailed; those of a server's StoreUnavailable too."""

    def execute(self, sql: str) -> None: ...
    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...
    def append(self, table: str, blocks: Sequence[bytes], settings: Mapping[str, str]) -> int: ...


def insert(session: Session, table: str, blocks: Sequence[bytes], token: str) -> int:
    """As `Store.insert`."""
    return session.append(table, blocks, STRICT | (ONCE | {"insert_deduplication_token": token} if token else ALWAYS))


def holds(session: Session, table: str, blocks: Sequence[bytes]) -> bool:
    """Compares whole rows, in the partitions and at the times of the blocks."""
    time = "TimeUnix" if table.startswith("otel_metrics_") else "Timestamp"
    scratch = f"mesh_looked_for_{secrets.token_hex(4)}"  # several collectors may look at once
    session.execute(f"CREATE TABLE otel.{scratch} AS otel.{identifier(table)} ENGINE = Memory")
    try:
        session.append(scratch, blocks, STRICT | ALWAYS)
        found = session.rows(
            f"SELECT count() FROM otel.{identifier(table)} WHERE {time} >= (SELECT min({time}) FROM otel.{scratch})"
            f" AND {time} <= (SELECT max({time}) FROM otel.{scratch})"
            f" AND cityHash64(*) GLOBAL IN (SELECT cityHash64(*) FROM otel.{scratch})"
        )
    finally:
        session.execute(f"DROP TABLE otel.{scratch}")
    return int(found[0][0]) > 0


def parts(session: Session, layout: Layout) -> list[Part]:
    """Those of the tables that are kept by days; of a cluster, those of the node that was asked."""
    sql = "SELECT table, partition_id, name, max_block_number, bytes_on_disk FROM system.parts"
    found = [
        (layout.of_local(table), *rest) for table, *rest in session.rows(f"{sql} WHERE database = 'otel' AND active")
    ]
    return [
        Part(table, datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date(), name, int(order), int(size))
        for table, day, name, order, size in found
        if table in KINDS
    ]


def drop(session: Session, layout: Layout, what: Drop) -> None:
    """A partition everywhere, a part (whose name is a node's own) where it is."""
    if what.part:
        session.execute(f"ALTER TABLE otel.{identifier(layout.local(what.table))} DROP PART {literal(what.part)}")
    else:
        session.execute(f"ALTER TABLE {layout.altered(what.table)} DROP PARTITION ID {literal(what.partition)}")
