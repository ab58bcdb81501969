"""Reads ClickHouse's HTTP interface out of one request: statement, database, settings, parameters, account.

Source: ClickHouse, docs "HTTP Interface", src/Server/HTTPHandler.cpp.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from collector.store.doors.accounts import Account
from collector.store.doors.held import SESSION_SECONDS, SESSION_SECONDS_MOST, Held
from collector.store.doors.http_coding import accepted
from collector.store.errors import AUTHENTICATION_FAILED, SYNTAX_ERROR, query_failed
from collector.store.running import Request
from collector.store.statement import data_follows

DEFAULT_FORMAT: Final = "TabSeparated"
INVALID_SESSION_TIMEOUT: Final = 374

# Parameters of the interface itself; every other one is a setting.
_OURS: Final = frozenset(
    {
        "query", "database", "default_format", "user", "password", "compress", "decompress", "query_id",
        "session_id", "session_timeout", "session_check", "quota_key", "role", "stacktrace", "buffer_size",
        "wait_end_of_query", "client_protocol_version", "enable_http_compression", "http_zlib_compression_level",
        "send_progress_in_http_headers", "http_headers_progress_interval_ms", "add_http_cors_header",
        "cancel_http_readonly_queries_on_client_close", "http_write_exception_in_output_format",
    }
)  # fmt: skip
# An INSERT whose rows stand in the same body, in any format, binary ones too.
_ROWS_BEHIND: Final = re.compile(rb"\A\s*INSERT\s.{0,65536}?\bFORMAT\s+\w+[ \t]*\r?\n", re.IGNORECASE | re.DOTALL)
_PARAMETER: Final = "param_"
_QUERY_ID: Final = re.compile(r"[\w.:-]{1,128}\Z", re.ASCII)


@dataclass(frozen=True)
class Asked:
    """One request; `rows` are the data of an INSERT that came apart from its statement.

    Its answer goes out in the content `coding`, in ClickHouse's `frames` within that; blocks of the format Native as a
    client of the protocol `revision` reads them, 0: as in a file.
    """

    request: Request
    rows: bytes
    coding: str
    frames: bool
    revision: int


@dataclass(frozen=True)
class Credentials:
    """Who a request says it comes from."""

    user: str
    password: str = field(repr=False)


def credentials(query: Mapping[str, str], headers: Mapping[str, str]) -> Credentials:
    """From X-ClickHouse-User/-Key, basic authentication, or user and password in the address, in this order.

    Raises AccessRefused (516) when the Authorization header cannot be read.
    """
    if user := headers.get("X-ClickHouse-User"):
        return Credentials(user, headers.get("X-ClickHouse-Key", ""))
    if authorization := headers.get("Authorization"):
        scheme, _, coded = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        if scheme.lower() != "basic" or not user:
            raise query_failed(
                AUTHENTICATION_FAILED, "Authorization must be Basic user:password. (AUTHENTICATION_FAILED)"
            )
        return Credentials(user, password)
    return Credentials(query.get("user") or "default", query.get("password", ""))


def query_id(query: Mapping[str, str]) -> str:
    """The name that a client gave its query, or one of ours where it gave none or none that fits into a header."""
    named = query.get("query_id", "")
    return named if _QUERY_ID.match(named) else str(uuid4())


def session_seconds(query: Mapping[str, str]) -> float:
    """How long a session outlives its last query. Raises QueryFailed (374)."""
    try:
        seconds = float(query.get("session_timeout") or SESSION_SECONDS)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= SESSION_SECONDS_MOST:
        raise query_failed(
            INVALID_SESSION_TIMEOUT,
            f"session_timeout is a number of seconds up to {SESSION_SECONDS_MOST:g}. (INVALID_SESSION_TIMEOUT)",
        )
    return seconds


def asked(
    method: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, account: Account, held: Held
) -> Asked:
    """What a request wants. Raises QueryFailed (62) when its statement is not text."""
    statement, rows = _divided(query.get("query", ""), body)
    request = Request(
        sql=statement,
        database=query.get("database") or headers.get("X-ClickHouse-Database") or held.database,
        format=headers.get("X-ClickHouse-Format") or query.get("default_format") or DEFAULT_FORMAT,
        settings={
            name: value for name, value in query.items() if name not in _OURS and not name.startswith(_PARAMETER)
        },
        params={name.removeprefix(_PARAMETER): value for name, value in query.items() if name.startswith(_PARAMETER)},
        sets=held.sets,
        rights=account.rights,
        may_change=method == "POST",
        watch_seconds=max(_number(query, "http_headers_progress_interval_ms", 100), 10) / 1000,
    )
    return Asked(
        request,
        rows,
        coding=accepted(headers) if query.get("enable_http_compression") != "0" else "",
        frames=query.get("compress") == "1",
        revision=_number(query, "client_protocol_version", 0),
    )


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    given = query.get(name, "")
    return int(given) if given.isdecimal() else default


def _divided(statement: str, body: bytes) -> tuple[str, bytes]:
    """The statement, which `query` and the body share, and the rows behind it."""
    if not body:
        return statement, b""
    if data_follows(statement):
        return statement, body
    if not statement and (found := _ROWS_BEHIND.match(body)):
        return _text(found[0]), body[found.end() :]
    return f"{statement}\n{_text(body)}".lstrip("\n"), b""


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise query_failed(SYNTAX_ERROR, "the statement is not UTF-8 text. (SYNTAX_ERROR)") from None
