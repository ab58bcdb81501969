"""HTTP/2 frames by hand (RFC 9113, 4 and 6), to say what no client library would.

In: what each frame should hold, however wrong. Out: bytes, and the frames that come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

import hpack

from tests.world.apps import dial

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ENHANCE_YOUR_CALM = 0xB
PROTOCOL_ERROR = 0x1

Fields = Iterable[tuple[str | bytes, str | bytes]]


class Kind(enum.IntEnum):
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
INITIAL_WINDOW_SIZE = 0x4


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame; nothing is checked."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def block(fields: Fields) -> bytes:
    """A header block of literals without indexing and without Huffman: names and values go out byte for byte."""
    encoded = b""
    for name, value in fields:
        name_bytes = name.encode() if isinstance(name, str) else name
        value_bytes = value.encode() if isinstance(value, str) else value
        encoded += b"\x00" + _string(name_bytes) + _string(value_bytes)
    return encoded


def _string(text: bytes) -> bytes:
    """A length in seven bits, continued where it does not fit (RFC 7541, 5.1), and the octets."""
    if len(text) < 127:
        return bytes((len(text),)) + text
    length, rest = b"\x7f", len(text) - 127
    while rest >= 128:
        length += bytes((rest % 128 + 128,))
        rest //= 128
    return length + bytes((rest,)) + text


def ask(authority: str = "back", path: str = "/", method: str = "GET", *more: tuple[str | bytes, str | bytes]) -> bytes:
    """The header block of a request."""
    pseudo = [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path)]
    return block([*pseudo, *more])


def headers(stream: int, fields: bytes, *, end: bool = True) -> bytes:
    """A whole header block in one frame."""
    return frame(Kind.HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, fields)


def data(stream: int, payload: bytes = b"", *, end: bool = True) -> bytes:
    return frame(Kind.DATA, END_STREAM if end else 0, stream, payload)


def reset(stream: int, code: int = 8) -> bytes:
    return frame(Kind.RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def settings(**values: int) -> bytes:
    """A SETTINGS frame; keys are names of this module."""
    pairs = ((globals()[name], value) for name, value in values.items())
    return frame(
        Kind.SETTINGS, payload=b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in pairs)
    )


def ping() -> bytes:
    return frame(Kind.PING, payload=b"whymesh!")


def window_update(stream: int, increment: int) -> bytes:
    return frame(Kind.WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


@dataclass
class Heard:
    """What a server said on one connection."""

    answers: dict[int, dict[str, str]] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    resets: dict[int, int] = field(default_factory=dict)
    went_away: int | None = None
    ended: bool = False

    @property
    def statuses(self) -> dict[int, str]:
        return {stream: answer[":status"] for stream, answer in self.answers.items() if ":status" in answer}


@dataclass
class Http2:
    """One connection: `say` any bytes, `hear` until something came."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: Heard = field(default_factory=Heard)
    decoder: hpack.Decoder = field(default_factory=hpack.Decoder)

    async def say(self, *frames: bytes) -> None:
        """Sends; a server that has had enough is not told any more."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(b"".join(frames))
            await self.writer.drain()

    async def hear(self, streams: Iterable[int] = (), *, end: bool = False, patience_s: float = 10.0) -> Heard:
        """Listens until each of these streams has ended, or (`end`) the connection has."""
        waiting = set(streams)
        async with asyncio.timeout(patience_s):
            while (end or waiting) and not self.heard.ended:
                waiting -= await self._next()
        return self.heard

    async def hear_body(self, stream: int, wanted: bytes, patience_s: float = 10.0) -> None:
        """Listens until these bytes have come on a stream that goes on."""
        async with asyncio.timeout(patience_s):
            while self.heard.bodies.get(stream) != wanted and not self.heard.ended:
                await self._next()

    async def _next(self) -> set[int]:
        """Takes one frame in; the streams it ended."""
        try:
            head = await self.reader.readexactly(9)
            payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.heard.ended = True
            return set()
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        match kind:
            case Kind.HEADERS:
                fields = {
                    str(name, "latin-1"): str(value, "latin-1")
                    for name, value in self.decoder.decode(payload, raw=True)
                }
                self.heard.answers.setdefault(stream, {}).update(fields)
            case Kind.DATA:
                self.heard.bodies[stream] = self.heard.bodies.get(stream, b"") + payload
            case Kind.RST_STREAM:
                self.heard.resets[stream] = int.from_bytes(payload, "big")
                return {stream}
            case Kind.GOAWAY:
                self.heard.went_away = int.from_bytes(payload[4:8], "big")
            case Kind.SETTINGS if not flags & ACK:
                await self.say(frame(Kind.SETTINGS, ACK))
        return {stream} if kind in (Kind.DATA, Kind.HEADERS) and flags & END_STREAM else set()


@contextlib.asynccontextmanager
async def http2(address: str, opening: bytes | None = None) -> AsyncIterator[Http2]:
    """A connection after its preface and first SETTINGS."""
    async with dial(address) as (reader, writer):
        connection = Http2(reader, writer)
        await connection.say(PREFACE, settings() if opening is None else opening)
        yield connection
