"""How people write durations, sizes and addresses, read into milliseconds, bytes and host:port."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

_DURATION = re.compile(r"^(?:\d+(?:\.\d+)?(?:ms|s|m|h)){1,4}$")
_PART = re.compile(r"([\d.]+)([a-z]+)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_SIZE = re.compile(r"^(\d{1,12})(KiB|MiB|GiB)$")
_UNIT_BYTES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LONGEST_PATH = 107
"""What fits into the address of a Unix socket (unix(7))."""
_LONGEST_MS = 24 * 3_600_000


def _duration(value: Any, least_ms: int) -> int:
    if not isinstance(value, str) or not _DURATION.match(value):
        raise ValueError("expected a duration such as 300ms, 15s or 1m30s")
    milliseconds = round(sum(float(number) * _UNIT_MS[unit] for number, unit in _PART.findall(value)))
    if not least_ms <= milliseconds <= _LONGEST_MS:
        raise ValueError(f"expected a duration between {least_ms}ms and 24h")
    return milliseconds


def _milliseconds(value: Any) -> int:
    """Reads a duration as the Gateway API writes it ("250ms", "1m30s"; also "1.5s") into whole milliseconds."""
    return _duration(value, 1)


def _milliseconds_or_none(value: Any) -> int:
    return _duration(value, 0)


def _bytes(value: Any) -> Any:
    """Reads a size: a number of bytes, or one with a binary unit ("64KiB", "10MiB")."""
    if isinstance(value, str) and (match := _SIZE.match(value)):
        return int(match[1]) * _UNIT_BYTES[match[2]]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("expected a number of bytes, or a size such as 64KiB or 10MiB")
    return value


def _address(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError("expected host:port with a port between 1 and 65535, such as 127.0.0.1:8080 or [::1]:8080")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("an IPv6 address needs brackets, such as [::1]:8080")
    return value


def _place(value: str) -> str:
    if not value.startswith("unix:"):
        return _address(value)
    path = value.removeprefix("unix:")
    if not path.startswith("/") or "\0" in path or len(path.encode()) > _LONGEST_PATH:
        raise ValueError(f"expected unix: and an absolute path of at most {_LONGEST_PATH} bytes")
    return value


WrittenAsSize = BeforeValidator(_bytes, json_schema_input_type=int | str)
Size = Annotated[int, WrittenAsSize]
Milliseconds = Annotated[int, BeforeValidator(_milliseconds, json_schema_input_type=str)]
MillisecondsOrNone = Annotated[int, BeforeValidator(_milliseconds_or_none, json_schema_input_type=str)]
"""0 is no limit, which is what `0s` means in the Gateway API."""
Address = Annotated[str, AfterValidator(_address)]
Place = Annotated[str, AfterValidator(_place)]
"""host:port, or `unix:` and the path of a socket."""
