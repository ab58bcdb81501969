"""What the collector needs of the place where rows are kept, whichever it is: in this process, or a server's."""

from collections.abc import Sequence
from typing import Any, Protocol

from collector.keep.expiry import Drop, Part


class Store(Protocol):
    """The tables. Its methods belong to one event loop; each raises StoreUnavailable when it may be tried again."""

    async def insert(self, table: str, blocks: Sequence[bytes], token: str = "") -> int:
        """Appends Native blocks to `otel.<table>` as one INSERT: at most one part per partition.

        With a `token`, an insert that already happened under it is not repeated. Returns rows written, those of
        materialized views included where the store tells. Raises StoreUnavailable (try again), StoreRejected (never).
        """

    async def holds(self, table: str, blocks: Sequence[bytes]) -> bool:
        """Whether any row of these Native blocks is in `otel.<table>`. Raises StoreUnavailable, StoreRejected."""

    async def parts(self) -> list[Part]:
        """The active parts of the tables that are kept by days. Raises StoreUnavailable, StoreRejected."""

    async def drop(self, drop: Drop) -> None:
        """Drops a day of a table, or one part of it. Raises StoreUnavailable, StoreRejected."""

    async def ask(self, sql: str) -> list[dict[str, Any]]:
        """Runs one SELECT with few rows; dates and times are text. Raises StoreUnavailable, QueryFailed."""

    async def change(self, sql: str) -> None:
        """Runs a statement of the collector's own. Raises StoreUnavailable, StoreRejected."""

    async def close(self) -> None:
        """Waits for inserts under way and lets go of what the store holds here."""
