"""How ClickHouse answers over HTTP: status by error code, content type by format, the shape of an error.

Source: ClickHouse, src/Server/HTTP/exceptionCodeToHTTPStatus.cpp, src/Processors/Formats/IOutputFormat.h.
"""

import json
from typing import Final

from collector.store.engine import Chunk

_STATUS: Final = {
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 43, 44, 53, 62, 69, 72, 108, 117, 168, 321, 452, 457), 400),
    **dict.fromkeys((8, 46, 47, 50, 56, 60, 73, 81, 115, 372), 404),
    **dict.fromkeys((164, 192, 193, 497, 516), 403),
    159: 408,
    202: 503,
    48: 501,
}
_JSON: Final = "application/json; charset=UTF-8"
_LINES: Final = "application/x-ndjson; charset=UTF-8"
_TEXT: Final = "text/plain; charset=UTF-8"
_TYPES: Final = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "Native": "application/octet-stream",
    "XML": "application/xml; charset=UTF-8",
    "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
}


def status_of(code: int) -> int:
    """HTTP status for ClickHouse's error code."""
    return _STATUS.get(code, 500)


def content_type(form: str) -> str:
    """Content type of a format's output."""
    if form in _TYPES:
        return _TYPES[form]
    if form.startswith("RowBinary"):
        return "application/octet-stream"
    if form.startswith("TabSeparated"):
        return _TYPES["TabSeparated"]
    if form.startswith("JSON"):
        return _LINES if "EachRow" in form or form == "JSONLines" else _JSON
    return _TEXT


def error_text(code: int, message: str, version: str) -> str:
    """The body of an error."""
    return f"Code: {code}. DB::Exception: {message} (version {version})\n"


def summary(*chunks: Chunk | None, written: int = 0) -> dict[str, str]:
    """The header that says what a query has read, and written, when the head of its answer goes out."""
    there = [chunk for chunk in chunks if chunk is not None]
    figures = {
        "read_rows": sum(chunk.read_rows for chunk in there),
        "read_bytes": sum(chunk.read_bytes for chunk in there),
        "written_rows": written,
        "result_rows": sum(chunk.rows for chunk in there),
        "result_bytes": sum(len(chunk.data) for chunk in there),
    }
    return {"X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in figures.items()})}


def late_error(text: str, tag: str) -> bytes:
    """What follows rows already sent when the query fails behind them; clients look for the tag they were given."""
    size = len(text.encode())
    return f"\r\n__exception__\r\n{tag}\r\n{text}{size} {tag}\r\n__exception__\r\n".encode()
