"""Whatever is sent, two backends of different make see the same single request, or neither sees any.

And the connection is not out of step afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import h11
import pytest

from tests.proxy.engine import hostile, smuggling
from tests.world.apps import dial
from tests.world.backends import BACKENDS, Seen
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.frames import PREFACE, Kind, block, data, frame, headers, http2, settings

AFTER = b"GET /after HTTP/1.1\r\nhost: back\r\nconnection: close\r\n\r\n"
"""What an honest client sends next on the same connection."""


Cut = Callable[[bytes], list[bytes]]
"""How the bytes of a request are handed to the network."""


def whole(sent: bytes) -> list[bytes]:
    return [sent]


def after_each_cr(sent: bytes) -> list[bytes]:
    """Between the two bytes that end a line."""
    return [piece for piece in re.split(rb"(?<=\r)", sent) if piece]


def in_threes(sent: bytes) -> list[bytes]:
    return [sent[at : at + 3] for at in range(0, len(sent), 3)] if len(sent) < 1_000 else [sent]


CUTS = pytest.mark.parametrize("cut", [whole, after_each_cr, in_threes], ids=lambda cut: str(cut.__name__))


@dataclass
class Side:
    """One backend behind its own proxies."""

    entry: str
    backend: str
    log: list[Seen]

    async def seen(self, request: bytes, cut: Cut = whole) -> tuple[list[Seen], list[tuple[int, bytes]]]:
        """What reached the backend of a request and the one after it, and what came back."""
        self.log.clear()
        async with dial(self.entry) as (reader, writer):
            with contextlib.suppress(ConnectionError):
                for piece in cut(request + AFTER):
                    writer.write(piece)
                    await writer.drain()
                writer.write_eof()
            came_back = b""
            with contextlib.suppress(ConnectionError):
                came_back = await asyncio.wait_for(reader.read(), 10)
        return self.seen_alike(), answers(came_back)

    def seen_alike(self) -> list[Seen]:
        """What was seen, less what tells the backends apart: a request without a host is given the backend's own."""
        return [one._replace(host=one.host.replace(self.backend, "")) for one in self.log]


def answers(came_back: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each response, read by a third parser, which must find nothing between or after them."""
    found: list[tuple[int, bytes]] = []
    while came_back:
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method="GET", target="/", headers=[("host", "back")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(came_back)
        connection.receive_data(b"")
        status, body = 0, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            assert not isinstance(event, h11.ConnectionClosed), came_back
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
        found.append((status, body))
        came_back = bytes(connection.trailing_data[0])
    return found


@pytest.fixture(params=["outbound", "inbound"])
async def sides(request: pytest.FixtureRequest) -> AsyncIterator[list[Side]]:
    """Each backend, behind one engine that is entered from the application's or from the mesh's side."""
    async with contextlib.AsyncExitStack() as world:
        made = []
        for backend in BACKENDS.values():
            log: list[Seen] = []
            address = await world.enter_async_context(backend(log))
            if request.param == "outbound":
                engine = sidecar("front", calls=(upstream("back", address),))
            else:
                engine = sidecar("back", app=address)
            entered: Sidecar = await world.enter_async_context(engine)
            made.append(Side(entered.proxy if request.param == "outbound" else entered.inbound, address, log))
        yield made


def problem(results: list[tuple[list[Seen], list[tuple[int, bytes]]]], least: int, most: int) -> str:
    """What is wrong with what the backends saw and the client heard; empty when nothing is."""
    first, second = (seen for seen, _ in results)
    if first != second:
        return f"the backends saw {first} and {second}"
    of_request = [one for one in first if one.target != "/after"]
    if not least <= len(of_request) <= most:
        return f"{len(of_request)} requests were seen: {of_request}"
    for seen, heard in results:
        told = [body for status, body in heard if status == 200]
        expected = [b"" if one.method == "HEAD" else f"saw {one.target}".encode() for one in seen]
        if told[-len(expected) :] != expected and expected:
            return f"seen were {seen}, and the answers {heard}"
        if any(status == 400 for status, _ in heard[:-1]):
            return f"it went on after a refusal: {heard}"
    return ""


async def compare(sides: list[Side], cases: Mapping[str, bytes], least: int, most: int, cut: Cut = whole) -> None:
    problems = {}
    for name, request in cases.items():
        results = [await side.seen(request, cut) for side in sides]
        if found := problem(results, least, most):
            problems[name] = found
    assert problems == {}


@CUTS
async def test_what_has_no_single_meaning_reaches_nobody(sides: list[Side], cut: Cut) -> None:
    problems = {}
    for name, request in hostile.REFUSED.items():
        results = [await side.seen(request, cut) for side in sides]
        for seen, heard in results:
            if seen:
                problems[name] = f"seen: {seen}"
            elif heard and not (len(heard) == 1 and 400 <= heard[0][0] < 506):
                problems[name] = f"heard: {heard}"
    assert problems == {}
    assert len(hostile.REFUSED) + len(hostile.FORWARDED) >= 150


@CUTS
async def test_what_is_odd_but_sound_is_seen_alike(sides: list[Side], cut: Cut) -> None:
    await compare(sides, hostile.FORWARDED, 1, 1, cut)


async def test_what_follows_a_sound_request_is_judged_by_itself(sides: list[Side]) -> None:
    problems = {}
    for name, request in hostile.REFUSED.items():
        for side in sides:
            seen, _ = await side.seen(hostile.get(target=b"/before") + request)
            if not {one.target for one in seen} <= {"/before"}:
                problems[name] = seen
    assert problems == {}


@pytest.mark.parametrize("cut", [whole, after_each_cr], ids=lambda cut: str(cut.__name__))
async def test_no_request_leaves_another_one(sides: list[Side], cut: Cut) -> None:
    problems = {}
    for name, request in smuggling.SHAPES.items():
        results = [await side.seen(request, cut) for side in sides]
        if found := problem(results, 0, 1):
            problems[name] = found
        elif any(one.target == "/smuggled" for one in results[0][0]):
            problems[name] = f"seen: {results[0][0]}"
    assert problems == {}
    assert len(smuggling.SHAPES) > 400


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_is_sent_is_seen_alike(sides: list[Side], seed: int) -> None:
    await compare(sides, hostile.generated(150, seed), 0, 1)


def ask2(*fields: tuple[str | bytes, str | bytes], **pseudo: str | bytes | None) -> bytes:
    """A header block with these pseudo-headers in place of the usual ones; None leaves one out."""
    usual: dict[str, str | bytes | None] = {"method": "GET", "scheme": "http", "authority": "back", "path": "/x"}
    given = [(f":{name}", value) for name, value in (usual | pseudo).items() if value is not None]
    return block([*given, *fields])


ODD_HEADERS: list[tuple[str | bytes, str | bytes]] = [
    ("connection", "close"),
    ("connection", "x"),
    ("keep-alive", "timeout=5"),
    ("proxy-connection", "keep-alive"),
    ("transfer-encoding", "chunked"),
    ("upgrade", "websocket"),
    ("te", "gzip"),
    ("te", "trailers, gzip"),
    ("Upper", "x"),
    ("", "x"),
    ("a b", "x"),
    ("a:b", "x"),
    (b"a\0b", "x"),
    (b"a\r\nb", "x"),
    (b"a\nb", "x"),
    (b"a\xe9", "x"),
    ("x", b"a\r\nhost: other"),
    ("x", b"a\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: back\r\n\r\n"),
    ("x", b"a\nb"),
    ("x", b"a\rb"),
    ("x", b"a\0b"),
    (":path", "/y"),
    (":unknown", "x"),
    (":status", "200"),
    ("host", "other"),
    ("content-length", "x"),
    ("content-length", "+5"),
    ("content-length", "5, 5"),
]
REFUSED_FRAMES: dict[str, list[bytes]] = {
    **{f"a header of {name!r}: {value!r}": [headers(1, ask2((name, value)))] for name, value in ODD_HEADERS},
    **{
        f"{name} of {value!r}": [headers(1, ask2(**{name: value}))]
        for name, value in [
            ("path", None),
            ("path", ""),
            ("path", "x"),
            ("path", "*"),
            ("path", b"/ HTTP/1.1\r\nhost: other\r\n\r\n"),
            ("path", b"/x y"),
            ("path", b"/x\r\n"),
            ("path", b"/\0"),
            ("path", "http://other/"),
            ("path", "@other/"),
            ("method", None),
            ("method", ""),
            ("method", "GET /y HTTP/1.1\r\nx:"),
            ("method", "G T"),
            ("scheme", None),
            ("scheme", "ftp"),
            ("authority", None),
            ("authority", "back other"),
            ("authority", "u@back"),
            ("authority", "back:x"),
            ("authority", b"back\r\nx: y"),
            ("authority", "back/x"),
        ]
    },
    "a pseudo-header after others": [headers(1, block([(":method", "GET"), ("x", "y"), (":path", "/x")]))],
    "a pseudo-header twice": [
        headers(1, block([(":method", "GET"), (":method", "POST"), (":scheme", "http"), (":path", "/x")]))
    ],
    "less than its length": [headers(1, ask2(("content-length", "6"), method="POST"), end=False), data(1, b"hello")],
    "more than its length": [headers(1, ask2(("content-length", "4"), method="POST"), end=False), data(1, b"hello")],
    "a length and no body": [headers(1, ask2(("content-length", "5"), method="POST"))],
    "two lengths": [
        headers(1, ask2(("content-length", "5"), ("content-length", "4"), method="POST"), end=False),
        data(1, b"hello"),
    ],
    "trailers that do not end it": [
        headers(1, ask2(method="POST"), end=False),
        data(1, b"hello", end=False),
        headers(1, block([("x", "y")]), end=False),
    ],
    "data after its end": [
        headers(1, ask2(method="POST"), end=False),
        frame(Kind.RST_STREAM, 0, 1, b"\0\0\0\1"),
        data(1, b"x"),
    ],
}
FORWARDED_FRAMES: dict[str, list[bytes]] = {
    "a plain request": [headers(1, ask2())],
    "a host that agrees": [headers(1, ask2(("host", "back")))],
    "te": [headers(1, ask2(("te", "trailers")))],
    "cookies": [headers(1, ask2(("cookie", "a=1"), ("cookie", "b=2")))],
    "a body": [headers(1, ask2(method="POST"), end=False), data(1, b"hello")],
    "a body of pieces": [headers(1, ask2(method="POST"), end=False), data(1, b"hel", end=False), data(1, b"lo")],
    "a body of its length": [headers(1, ask2(("content-length", "5"), method="POST"), end=False), data(1, b"hello")],
    "a body that looks like a request": [headers(1, ask2(method="POST"), end=False), data(1, hostile.get())],
    "trailers": [
        headers(1, ask2(("trailer", "x"), method="POST"), end=False),
        data(1, b"hello", end=False),
        headers(1, block([("x", "y"), ("content-length", "50"), ("host", "other")])),
    ],
    "a query": [headers(1, ask2(path="/x?a=b"))],
    "trailers with a pseudo-header, which goes no further": [
        headers(1, ask2(method="POST"), end=False),
        data(1, b"hello", end=False),
        headers(1, block([(":path", "/y")])),
    ],
}
ONCE_MORE = [headers(101, ask2(path="/after"))]


async def said(side: Side, frames: list[bytes]) -> list[Seen]:
    """What reached the backend of these frames, and of a plain request after them on the same or another connection."""
    side.log.clear()
    async with http2(side.entry) as connection:
        await connection.say(*frames, *ONCE_MORE)
        heard = await connection.hear([101])
        if heard.statuses.get(101) != "200":
            assert heard.ended, "out of step"
    return side.seen_alike()


@pytest.mark.parametrize("frames", REFUSED_FRAMES.values(), ids=REFUSED_FRAMES.keys())
async def test_frames_without_a_single_meaning_reach_nobody(sides: list[Side], frames: list[bytes]) -> None:
    for side in sides:
        assert [seen for seen in await said(side, frames) if seen.target != "/after"] == []


async def test_sound_frames_are_seen_alike(sides: list[Side]) -> None:
    problems = {}
    for name, frames in FORWARDED_FRAMES.items():
        first, second = [await said(side, frames) for side in sides]
        if sorted(first) != sorted(second) or len(first) != 2:
            problems[name] = (first, second)
    assert problems == {}


async def test_a_preface_in_the_middle_is_no_preface(sides: list[Side]) -> None:
    for side in sides:
        seen, _ = await side.seen(hostile.get() + PREFACE + settings())
        assert [one.target for one in seen] == ["/x"]
