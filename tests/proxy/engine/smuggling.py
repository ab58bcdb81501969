"""Requests that carry another one inside, for readers who disagree on where the first one ends.

Each way to say that a body is chunked, which some readers take and others do not, beside each length that makes the
difference; and the same for lengths. The one inside asks for /smuggled.
"""

from __future__ import annotations

from itertools import product

INSIDE = b"GET /smuggled HTTP/1.1\r\nx: "
"""What follows it on the connection becomes the rest of its head."""
CHUNK_OF_IT = b"%x\r\n" % len(INSIDE) + INSIDE + b"\r\n0\r\n\r\n"

ENCODINGS = [
    *(b"Transfer-Encoding: chunked", b"transfer-encoding:chunked", b"TRANSFER-ENCODING: CHUNKED"),
    *(b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked"),
    *(b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked"),
    *(b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: x, chunked"),
    *(b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding: \x0cchunked", b"Transfer-Encoding: chunked\x00"),
    *(b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chun\r\n ked", b"Transfer-Encoding: chunked\r\n\t"),
    *(b"Transfer-Encoding\x00: chunked", b"Transfer\x00-Encoding: chunked", b"Transfer_Encoding: chunked"),
    *(b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: 'chunked'", b"Transfer-Encoding: chunked;x"),
    *(b"Transfer-Encoding: \xffchunked", b"Transfer-Encoding: chunked\xa0", b"Transfer-Encoding:\xa0chunked"),
    *(b"X: y\rTransfer-Encoding: chunked", b"X: y\nTransfer-Encoding: chunked", b"X: y\r\rTransfer-Encoding: chunked"),
    *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked"),
    *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding:\r\nTransfer-Encoding: chunked"),
    *(b"Transfer-Encoding:", b"Transfer-Encoding: ", b"Transfer-Encoding: cow", b"Transfer-Encoding: chunk"),
    *(b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", b"Foo: bar\r\n\r\nTransfer-Encoding: chunked"),
    *(
        b"Transfer-\r\nEncoding: chunked",
        b"Transfer-Encoding",
        b"Transfer-Encoding=chunked",
        b":Transfer-Encoding: chunked",
    ),
]
LENGTHS = [
    *(b"Content-Length: %d" % len(CHUNK_OF_IT), b"Content-Length: 0", b"Content-Length: 4", b"Content-Length: 5"),
    *(b"content-length : 4", b"Content-Length: +4", b"Content-Length: 4, 0", b"Content-Length: 0x4"),
    *(
        b"Content-Length: 4\r\nContent-Length: 0",
        b"Content-Length:\r\n 4",
        b"Content-Length: 4\x00",
        b"Content_Length: 4",
    ),
    *(b"Content-Length: -0", b"Content-Length: 00000000000000000000", b"X: y\rContent-Length: 4"),
]
PARTS = [length for length in LENGTHS if length != b"Content-Length: 0"]
"""Those under which what is inside is no request of its own."""
EXTENSIONS = [b";\r\n", b';a="\r\n']
"""Not as they should be, and yet they end with their line: behind a last chunk the next request is one of its own."""
NO_ENDS = [b"\n", b"\r", b"\r\r\n", b" \r\n", b";\n\r\n", b"\r\n\n", b";x\rX\r\n", b"\x00\r\n"]
EXPECTATIONS = [b"100-continue", b"y 100-continue", b"100-continue, x", b"100-Continue", b" 100-continue ", b"x"]


def _post(*lines: bytes, body: bytes = CHUNK_OF_IT, method: bytes = b"POST") -> bytes:
    return b"\r\n".join((method + b" /x HTTP/1.1", b"host: back", *lines, b"", body))


def _both() -> dict[str, bytes]:
    made = {}
    for encoding, length in product(ENCODINGS, LENGTHS[:4]):
        made[f"{length!r}, then {encoding!r}"] = _post(length, encoding)
        made[f"{encoding!r}, then {length!r}"] = _post(encoding, length)
    return made


SHAPES: dict[str, bytes] = {
    **_both(),
    **{f"only {encoding!r}": _post(encoding) for encoding in ENCODINGS},
    **{f"only {length!r}": _post(length, body=INSIDE) for length in PARTS},
    **{f"{length!r} of a GET": _post(length, body=INSIDE, method=b"GET") for length in PARTS},
    **{
        f"a chunk that ends in {end!r}": _post(ENCODINGS[0], body=b"2" + end + b"xx\r\n" + CHUNK_OF_IT)
        for end in NO_ENDS + EXTENSIONS
    },
    **{
        f"a last chunk that ends in {end!r}": _post(ENCODINGS[0], body=b"0" + end + b"\r\n" + INSIDE) for end in NO_ENDS
    },
    **{
        f"data that ends in {end!r}": _post(ENCODINGS[0], body=b"2\r\nxx" + end + CHUNK_OF_IT)
        for end in NO_ENDS + EXTENSIONS
    },
    **{
        f"an expectation of {expected!r}, {length!r}": _post(b"Expect: " + expected, length, body=INSIDE)
        for expected, length in product(EXPECTATIONS, PARTS[:3])
    },
}
