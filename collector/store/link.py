"""One connection to a ClickHouse server over its native protocol, to write to it.

In: statements, Native blocks as the encoder made them. Out: the server's answers. Never: a block taken apart here, or
an insert that the server puts off (async_insert).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from clickhouse_driver import Client
from clickhouse_driver.block import RowOrientedBlock
from clickhouse_driver.protocol import ClientPacketTypes, ServerPacketTypes

from collector._columnar import DecodeError, native_block_length
from collector.store.doors import compress
from collector.store.doors.incoming import whole_block
from collector.store.doors.protocol import REVISION, BadPacket, block_info, data_head
from collector.store.errors import StoreUnavailable, query_failed
from collector.store.quoting import identifier
from collector.store.speaking import speaking
from collector.store.url import StoreUrl

CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 60
INCORRECT_DATA: Final = 117
# Answered when the part is there, and as one insert however the server is set up.
_NOW: Final = {"async_insert": "0", "distributed_foreground_insert": "1", "insert_distributed_sync": "1"}


class Link:
    """Opened when it is first used, and again when it was lost. For one thread at a time."""

    def __init__(self, url: StoreUrl) -> None:
        self._url = url
        self._client = Client(
            url.host,
            url.port,
            database="",  # ours may not exist yet; every statement names it
            user=url.user,
            password=url.password,
            secure=url.secure,
            client_name="whymesh-collector",
            client_revision=REVISION,  # from a later one on, a block on the wire is not one of FORMAT Native
            compression="lz4",
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=ANSWER_SECONDS,
            settings=url.settings,
            **url.files,
        )

    def execute(self, sql: str) -> None:
        """Runs a statement for what it does. Raises StoreUnavailable, QueryFailed."""
        self.rows(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A small result. Raises StoreUnavailable, QueryFailed."""
        with speaking(self._url):
            answer = self._client.execute(sql)
        return answer if isinstance(answer, list) else []

    def named_rows(self, sql: str) -> list[dict[str, Any]]:
        """The same with the names of its columns, dates and times as text. Raises StoreUnavailable, QueryFailed."""
        with speaking(self._url):
            rows, columns = self._client.execute(sql, with_column_types=True)
        names = [name for name, _ in columns]
        return [dict(zip(names, map(_plain, row), strict=True)) for row in rows]

    def blocks(self, sql: str) -> Iterator[bytes]:
        """A result of any length, a Native block at a time; to be read to its end or closed.

        Raises StoreUnavailable, QueryFailed.
        """
        try:
            with speaking(self._url):
                yield from self._blocks(sql)
        except BadPacket as error:
            raise StoreUnavailable(f"{self._url} does not speak ClickHouse's protocol: {error}") from None
        except GeneratorExit:  # the rest of the result is on its way
            self._client.disconnect()
            raise

    def append(self, table: str, blocks: Sequence[bytes], settings: Mapping[str, str]) -> int:
        """Inserts Native blocks into `otel.<table>`; returns rows written. Raises StoreUnavailable, QueryFailed."""
        whole = [block for data in blocks for block in _blocks(data)]
        with speaking(self._url):
            return self._append(f"INSERT INTO otel.{identifier(table)} FORMAT Native", whole, settings)

    def close(self) -> None:
        """Ends the connection."""
        self._client.disconnect()

    def _blocks(self, sql: str) -> Iterator[bytes]:
        client, connection = self._client, self._client.connection
        with client.disconnect_on_error(sql, self._url.settings):
            connection.send_query(sql)
            connection.send_external_tables(None)
            taken_apart, connection.block_in = connection.block_in, _WholeBlocks(connection.fin)
            for packet in client.packet_generator():
                if packet.type == ServerPacketTypes.DATA and packet.block[1:2] != b"\0":
                    yield packet.block
            connection.block_in = taken_apart

    def _append(self, statement: str, blocks: Sequence[bytes], settings: Mapping[str, str]) -> int:
        client, connection = self._client, self._client.connection
        with client.disconnect_on_error(statement, {**self._url.settings, **_NOW, **settings}):
            connection.send_query(statement)
            connection.send_external_tables(None)
            client.receive_sample_block()
            try:
                for block in blocks:
                    self._send(block)
                connection.send_data(RowOrientedBlock())
            except OSError as error:
                self._last_words(error)
            client.receive_end_of_insert_query()
            progress = client.last_query.progress
            return int(progress.written_rows) if progress else 0

    def _send(self, block: bytes) -> None:
        connection = self._client.connection
        connection.fout.write(data_head(REVISION).replace(b"\x01", bytes([ClientPacketTypes.DATA]), 1))
        for frame in compress.compressed(block_info(REVISION) + block):
            connection.fout.write(frame)
        connection.fout.flush()

    def _last_words(self, error: OSError) -> None:
        """A server that refuses a block closes the connection behind its reason, while we still send."""
        try:
            packet = self._client.connection.receive_packet()
        except (OSError, EOFError):
            raise error from None
        if packet.exception is not None:
            raise packet.exception
        raise error


class _WholeBlocks:
    """Stands where the driver takes blocks apart, and leaves them as they are."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, use_numpy: bool | None = None) -> bytes:
        raw = b""
        while (block := whole_block(raw, REVISION)) is None:
            head = self._source.read(compress.HEAD)
            raw += compress.raw_bytes(head + self._source.read(compress.frame_size(head) - compress.HEAD))
        return block.data


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, date) else value  # a datetime is a date


def _blocks(data: bytes) -> Iterator[bytes]:
    """The Native blocks that stand one after the other. Raises QueryFailed (117) when it is something else."""
    rest = data
    while rest:
        try:
            length = native_block_length(rest)
        except DecodeError as error:
            raise query_failed(INCORRECT_DATA, f"not a Native block: {error}. (INCORRECT_DATA)") from None
        if not length:
            raise query_failed(INCORRECT_DATA, "a Native block is cut short. (INCORRECT_DATA)")
        yield rest[:length]
        rest = rest[length:]
