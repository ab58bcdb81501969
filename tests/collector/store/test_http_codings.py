"""What HTTP has around a statement: codings both ways, revisions of Native, sessions, progress before the answer."""

from __future__ import annotations

import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlencode

import lz4.frame
import pytest
import zstandard
from clickhouse_connect import get_client

from collector.store.doors import compress
from collector.store.doors.held import SESSIONS_MOST, Held, Sessions
from collector.store.doors.http_body import BODY_MOST, plain
from collector.store.errors import QueryFailed
from tests.world.processes import until
from tests.world.stores import ServedStore

SECOND = "SELECT sum(sleepEachRow(0.1)), sum(number) FROM numbers(10)"
CODED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lz4.frame.compress,
}
PLAIN = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "lz4": lz4.frame.decompress,
}


class Asking:
    """One connection that stays open; `ask` returns status, headers and body."""

    def __init__(self, served: ServedStore) -> None:
        self._connection = http.client.HTTPConnection(served.http.removeprefix("http://"), timeout=60)

    def ask(
        self, body: bytes = b"", headers: dict[str, str] | None = None, **query: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        self._connection.request("POST", f"/?{urlencode(query)}", body, headers or {})
        answer = self._connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def asking(served: ServedStore) -> Iterator[Asking]:
    asking = Asking(served)
    yield asking
    asking.close()


@pytest.mark.parametrize("coding", CODED)
def test_a_body_comes_in_any_coding(asking: Asking, coding: str) -> None:
    code = {"Content-Encoding": coding}
    assert asking.ask(CODED[coding](b"SELECT 'a', 1"), code)[2] == b"a\t1\n"
    rows = b"".join(b"%s-%d\n" % (coding.encode(), number) for number in range(30_000))
    insert = {"query": "INSERT INTO mesh_alerts (IncidentId) FORMAT TSV", "user": "rootcause"}
    assert asking.ask(CODED[coding](rows), code, **insert)[0] == HTTPStatus.OK
    counted = f"SELECT uniqExact(IncidentId) FROM mesh_alerts WHERE startsWith(IncidentId, '{coding}-')"
    assert asking.ask(counted.encode())[2] == b"30000\n"


@pytest.mark.parametrize("method", [compress.LZ4, compress.ZSTD, compress.NONE])
def test_a_body_comes_in_frames_of_the_native_protocol(asking: Asking, method: int) -> None:
    framed = b"".join(compress.compressed(b"SELECT 7 -- " + b"x" * (3 << 20), method))
    assert asking.ask(framed, decompress="1", max_query_size=str(8 << 20))[2] == b"7\n"
    assert asking.ask(gzip.compress(framed), {"Content-Encoding": "gzip"}, decompress="1", max_query_size="9000000")[
        2
    ] == (b"7\n")
    status, _, said = asking.ask(framed[:-1], decompress="1")
    assert (status, said[:10]) == (HTTPStatus.INTERNAL_SERVER_ERROR, b"Code: 271.")


@pytest.mark.parametrize("coding", CODED)
@pytest.mark.parametrize("rows", [3, 300_000])
def test_an_answer_goes_out_as_it_is_asked_for(asking: Asking, coding: str, rows: int) -> None:
    sql = f"SELECT number FROM numbers({rows})".encode()
    status, headers, body = asking.ask(sql, {"Accept-Encoding": coding}, enable_http_compression="1")
    assert (status, headers["Content-Encoding"]) == (HTTPStatus.OK, coding)
    assert PLAIN[coding](body) == b"".join(b"%d\n" % number for number in range(rows))


def test_the_coding_that_costs_least_is_taken_and_none_that_is_ruled_out(asking: Asking) -> None:
    assert asking.ask(b"SELECT 1", {"Accept-Encoding": "gzip, deflate, br, zstd"})[1]["Content-Encoding"] == "zstd"
    assert asking.ask(b"SELECT 1", {"Accept-Encoding": "gzip, zstd;q=0"})[1]["Content-Encoding"] == "gzip"
    assert asking.ask(b"SELECT 1", {"Accept-Encoding": "br"})[1]["Content-Encoding"] is None


@pytest.mark.parametrize(
    ("body", "coding", "code"),
    [
        (b"SELECT 1", "br", 48),
        (b"SELECT 1", "gzip", 271),
        (b"SELECT 1", "zstd", 271),
        (b"SELECT 1", "lz4", 271),
        (gzip.compress(b"SELECT 1")[:-1], "gzip", 271),
        (CODED["zstd"](b"SELECT 1")[:-1], "zstd", 271),
        (CODED["lz4"](b"SELECT 1")[:-1], "lz4", 271),
        (gzip.compress(bytes(BODY_MOST + 1), 1), "gzip", 307),
        (CODED["zstd"](bytes(BODY_MOST + 1)), "zstd", 307),
        (CODED["lz4"](bytes(BODY_MOST + 1)), "lz4", 307),
    ],
)
def test_a_body_that_is_damaged_unknown_or_a_bomb_is_an_error(body: bytes, coding: str, code: int) -> None:
    with pytest.raises(QueryFailed) as refused:
        plain(body, coding, frames=False)
    assert refused.value.code == code


def test_what_is_too_large_as_it_was_sent_is_an_error_of_clickhouse(asking: Asking) -> None:
    status, headers, said = asking.ask(bytes(BODY_MOST + 1), query="INSERT INTO mesh_alerts FORMAT TSV")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "307")
    assert said.startswith(b"Code: 307. DB::Exception: the body is over 64 MiB")


def test_blocks_are_those_of_the_revision_a_client_asks_for(asking: Asking) -> None:
    sql = b"SELECT toUInt8(7) AS a, 'x' AS b FORMAT Native"
    info = b"\x01\x00\x02\xff\xff\xff\xff\x00"
    assert asking.ask(sql)[2] == b"\x02\x01\x01a\x05UInt8\x07\x01b\x06String\x01x"
    assert asking.ask(sql, client_protocol_version="54405")[2] == info + asking.ask(sql)[2]
    newer = info + b"\x02\x01\x01a\x05UInt8\x00\x07\x01b\x06String\x00\x01x"
    assert asking.ask(sql, client_protocol_version="54460")[2] == newer
    assert asking.ask(b"SELECT 7 AS a", client_protocol_version="54460")[2] == b"7\n"
    unknown = b"SELECT CAST('{\"a\": 1}' AS JSON) AS j FORMAT Native"
    status, _, said = asking.ask(unknown, client_protocol_version="54460")
    assert status == HTTPStatus.NOT_IMPLEMENTED
    assert b'"JSON"' in said


def test_sessions_keep_what_use_and_set_change(asking: Asking) -> None:
    mine = {"session_id": "s1"}
    assert asking.ask(b"SET max_block_size = 7", None, **mine)[0] == HTTPStatus.OK
    assert asking.ask(b"USE system", None, **mine)[0] == HTTPStatus.OK
    told = b"SELECT currentDatabase(), getSetting('max_block_size') = 7"
    assert asking.ask(told, None, **mine)[2] == b"system\t1\n"
    assert asking.ask(told, None, session_id="s2")[2] == b"otel\t0\n"
    assert asking.ask(told, None, user="rootcause", **mine)[2] == b"otel\t0\n", "of another account"
    assert asking.ask(told)[2] == b"otel\t0\n"
    status, _, said = asking.ask(b"SELECT 1", None, session_id="s3", session_check="1")
    assert (status, said[:10]) == (HTTPStatus.NOT_FOUND, b"Code: 372.")
    assert asking.ask(b"SELECT 1", None, session_timeout="never", **mine)[2].startswith(b"Code: 374.")


def test_a_session_is_for_one_query_at_a_time(served: ServedStore, asking: Asking) -> None:
    busy = http.client.HTTPConnection(served.http.removeprefix("http://"), timeout=60)
    endless = urlencode({"query": "SELECT count() FROM numbers(1000000000000)", "session_id": "busy"})
    busy.request("POST", f"/?{endless}")
    until(lambda: served.running_queries() == 1, "the query to start")
    assert asking.ask(b"SELECT 1", None, session_id="busy")[2].startswith(b"Code: 373.")
    busy.close()
    until(lambda: asking.ask(b"SELECT 1", None, session_id="busy")[2] == b"1\n", "the session to be free")


def test_sessions_end_in_their_time_and_are_bounded() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])

    def there(name: str) -> bool:
        try:
            with sessions.enter("me", name, 60, known=True):
                return True
        except QueryFailed:
            return False

    with sessions.enter("me", "a", 60, known=False) as held:
        held.database = "system"
    now[0] = 59
    with sessions.enter("me", "a", 60, known=True) as held:
        assert held == Held("system")
    now[0] = 119
    assert not there("a")
    for number in range(SESSIONS_MOST + 1):
        with sessions.enter("me", f"s{number}", 60, known=False):
            pass
    assert not there("s0")
    assert there(f"s{SESSIONS_MOST}")


def test_progress_comes_before_the_answer_when_it_is_asked_for(asking: Asking) -> None:
    often = {"send_progress_in_http_headers": "1", "http_headers_progress_interval_ms": "20"}
    status, headers, body = asking.ask(SECOND.encode(), None, **often)
    assert (status, body) == (HTTPStatus.OK, b"0\t45\n")
    told = [json.loads(line) for line in headers.get_all("X-ClickHouse-Progress", [])]
    assert len(told) >= 2
    assert 0 < int(told[0]["elapsed_ns"]) < int(told[-1]["elapsed_ns"])
    assert headers["X-ClickHouse-Query-Id"]
    assert headers["Content-Type"].startswith("text/tab-separated-values")
    failing = f"SELECT throwIf(x >= 0) FROM ({SECOND.replace(', sum(number)', ' AS x')})"
    status, headers, body = asking.ask(failing.encode(), None, **often)
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (HTTPStatus.OK, "395"), "the head had begun"
    assert body.startswith(b"Code: 395.")
    _, headers, body = asking.ask(SECOND.replace("sum", "").encode(), {"Accept-Encoding": "gzip"}, **often)
    assert gzip.decompress(body).count(b"\n") == 10
    assert asking.ask(b"SELECT 1")[1].get_all("X-ClickHouse-Progress") is None


def test_a_connection_is_kept_and_says_for_how_long(asking: Asking) -> None:
    assert asking.ask(b"SELECT 1")[1]["Keep-Alive"] == "timeout=30"
    assert asking.ask(b"SELECT 1", {"Connection": "close"})[1]["Keep-Alive"] is None


def test_clickhouse_connect_reads_blocks_with_their_info_in_each_coding(served: ServedStore) -> None:
    for coding in ("lz4", "zstd", "gzip"):
        client = get_client(dsn=served.http + "/otel", compress=coding)
        rows = client.query("SELECT number, toLowCardinality(toString(number % 3)) FROM numbers(100000)").result_rows
        client.close()
        assert (len(rows), rows[4]) == (100_000, (4, "1"))
