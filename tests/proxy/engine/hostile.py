"""Requests on the border of HTTP/1.1 and beyond it, as bytes, each with a name that says what is odd about it."""

from __future__ import annotations

import random

BODY = b"5\r\nhello\r\n0\r\n\r\n"


def get(*lines: bytes, target: bytes = b"/x", version: bytes = b"HTTP/1.1", host: bytes = b"host: back") -> bytes:
    return b"\r\n".join((b"GET " + target + b" " + version, host, *lines, b"", b""))


def post(*lines: bytes, body: bytes = b"hello", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join((b"POST /x " + version, b"host: back", *lines, b"", body))


def chunked(body: bytes, *lines: bytes) -> bytes:
    return post(b"transfer-encoding: chunked", *lines, body=body)


LENGTHS = {
    f"a length of {value!r}": post(b"content-length:" + value)
    for value in (
        *(b"", b" ", b" +5", b" -5", b" 5 5", b" 5,5", b" 5, 5", b" 5;", b" 0x5", b" 5h", b" 5.0", b" 5e0", b" five"),
        *(b" \x0b5", b" 5\x0b", b" 5\x00", b" \xb2", b' "5"', b" 99999999999999999999", b" 9223372036854775808"),
        *(b" 18446744073709551621", b" 4294967301\t4", b" 5\r\n 5", b" 5\r\n\t5", b" 1_0", b" \xef\xbc\x95", b" 5\x7f"),
    )
}
ENCODINGS = {
    f"an encoding of {value!r}": post(b"transfer-encoding:" + value, body=BODY)
    for value in (
        *(b"", b" ", b" gzip", b" identity", b" gzip, chunked", b" chunked, gzip", b" chunked, chunked", b" chunked,"),
        *(b" ,chunked", b" \x0bchunked", b" chunked\x0b", b" chunked\x00", b' "chunked"', b" xchunked", b" chunkedx"),
        *(
            b" chunked;q=1",
            b" chunked, identity",
            b" identity, chunked",
            b" cow",
            b" \xe2\x84\xaachunked",
            b" chun\tked",
        ),
        *(b" chunked\r\n x", b"\r\n chunked", b" chun ked", b" chunked cow"),
    )
}
TWO_FRAMINGS = {
    "a length and an encoding": chunked(BODY, b"content-length: 4"),
    "an encoding and a length": post(b"content-length: 4", b"transfer-encoding: chunked", body=BODY),
    "a length of nothing and an encoding": post(b"content-length: 0", b"transfer-encoding: chunked", body=BODY),
    "two lengths": post(b"content-length: 5", b"content-length: 4"),
    "two lengths the other way": post(b"content-length: 4", b"content-length: 5"),
    "one length twice": post(b"content-length: 5", b"content-length: 5"),
    "a length in disguise": post(b"content_length: 4", b"content-length: 5"),
    "an encoding in disguise": post(b"transfer_encoding: chunked", body=BODY),
    "two encodings": chunked(BODY, b"transfer-encoding: chunked"),
    "two encodings, the first unknown": post(b"transfer-encoding: x", b"transfer-encoding: chunked", body=BODY),
    "two encodings, the last unknown": chunked(BODY, b"transfer-encoding: identity"),
    "an encoding in HTTP/1.0": post(b"transfer-encoding: chunked", body=BODY, version=b"HTTP/1.0"),
    "a space before the colon of an encoding": post(b"transfer-encoding : chunked", b"content-length: 5", body=BODY),
    "a tab before the colon of an encoding": post(b"transfer-encoding\t: chunked", b"content-length: 5", body=BODY),
    "a NUL in the name of an encoding": post(b"transfer\0-encoding: chunked", b"content-length: 5"),
    "an encoding behind a bare CR": post(b"x: y\rtransfer-encoding: chunked", b"content-length: 5"),
    "an encoding behind a bare LF": post(b"x: y\ntransfer-encoding: chunked", body=BODY),
    "an encoding in a folded line": post(b"x: y\r\n transfer-encoding: chunked", b"content-length: 5"),
    "an encoding in the first line": post(b" transfer-encoding: chunked", body=BODY),
    "an upgrade with a body": post(b"connection: upgrade", b"upgrade: websocket", b"content-length: 5"),
    "an upgrade with chunks": chunked(BODY, b"connection: upgrade", b"upgrade: websocket"),
}
CHUNKS = {
    f"chunks of {body!r}": chunked(body)
    for body in (
        *(
            b"5\nhello\r\n0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello\r\n0\n\n",
            b"5\r\nhello\r\n0\r\n\n",
            b"5\rhello\r\n0\r\n\r\n",
        ),
        *(
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"-5\r\nhello\r\n0\r\n\r\n",
            b"0x5\r\nhello\r\n0\r\n\r\n",
            b"5 \r\nhello\r\n0\r\n\r\n",
        ),
        *(
            b" 5\r\nhello\r\n0\r\n\r\n",
            b"5\t\r\nhello\r\n0\r\n\r\n",
            b"5,5\r\nhello\r\n0\r\n\r\n",
            b"5_0\r\nhello\r\n0\r\n\r\n",
        ),
        *(
            b"\r\nhello\r\n0\r\n\r\n",
            b"g\r\nhello\r\n0\r\n\r\n",
            b"5\x00\r\nhello\r\n0\r\n\r\n",
            b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        ),
        *(
            b"5;a\rb\r\nhello\r\n0\r\n\r\n",
            b"5;a\x00\r\nhello\r\n0\r\n\r\n",
            b"5;\n\r\nhello\r\n0\r\n\r\n",
            b"4\r\nhello\r\n0\r\n\r\n",
        ),
        *(
            b"6\r\nhello\r\n0\r\n\r\n",
            b"10000000000000005\r\nhello\r\n0\r\n\r\n",
            b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        ),
        *(
            b"fffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
            b"5\r\n\r\nhello0\r\n\r\n",
            b"5\r\nhelloXX0\r\n\r\n",
            b"5\r\nhello\r\n0\r\nx\r\n\r\n",
        ),
        *(
            b"5\r\nhello\r\n0\r\n x: y\r\n\r\n",
            b"5\r\nhello\r\n0\r\nx : y\r\n\r\n",
            b"5\r\nhello\r\n0\r\nx: \x00\r\n\r\n",
        ),
        *(
            b"5\r\nhello\r\n0\r\nx: y\r\n z\r\n\r\n",
            b"5;" + b"a" * 5_000 + b"\r\nhello\r\n0\r\n\r\n",
            b"5\r\nhello\r\n-0\r\n\r\n",
        ),
    )
}
HOSTS = {
    f"a host of {host!r}": get(host=host)
    for host in (
        *(
            b"x: no host",
            b"host:",
            b"host: ",
            b"host: back other",
            b"host: back,other",
            b"host: back\tother",
            b"host: back/x",
        ),
        *(
            b"host: back:",
            b"host: back:x",
            b"host: back:80:80",
            b"host: back:99999",
            b"host: back:+80",
            b"host: back:-1",
        ),
        *(
            b"host: u@back",
            b"host: back#x",
            b"host: back?x",
            b"host: http://back",
            b"host: [back]",
            b"host: [::1",
            b"host: ::1",
        ),
        *(b"host: back\r\nhost: back", b"host: back\r\nhost: other", b"host: back\r\nHOST: other", b"host: ba\xe9ck"),
        *(
            b"host: back\x00",
            b"host: back\x0b",
            b"host: %62ack",
            b"host: back\\other",
            b"host: back:80 ;",
            b"host: <back>",
        ),
        *(
            b"host : back",
            b"\thost: back",
            b" host: back",
            b"host\x00: back",
            b"host\r: back",
            b"host: back\r\n other",
            b"host: back\rother",
        ),
    )
}
TARGETS = {
    f"a target of {target!r}": get(target=target)
    for target in (
        *(
            b"",
            b"x",
            b"*",
            b"back:80",
            b"/ x",
            b"/\t",
            b"/\x00",
            b"/\x7f",
            b"/x#y",
            b"/\xe9",
            b"/\xc3\xa9",
            b"/x\\y#z",
        ),
        *(
            b"http://other/",
            b"http://back@other/",
            b"http://u:p@back/",
            b"http://back:81/",
            b"ftp://back/",
            b"https://back/",
        ),
        *(
            b"http:///x",
            b"http:/back",
            b"http://",
            b"http://back\x00/",
            b"http://[::1/",
            b"?x",
            b"#",
            b"javascript:x",
            b"http://back#x",
        ),
        *(b"/x\rHTTP/1.1", b"/" + b"a" * 20_000),
    )
}
LINES = {
    "a version without digits": get(version=b"HTTP/x"),
    "version 0.9": get(version=b"HTTP/0.9"),
    "no version": b"GET /x\r\n\r\n",
    "no version and headers": b"GET /x\r\nhost: back\r\n\r\n",
    "version 1.2": get(version=b"HTTP/1.2"),
    "version 2.0": get(version=b"HTTP/2.0"),
    "version 11": get(version=b"HTTP/11"),
    "version 1.10": get(version=b"HTTP/1.10"),
    "version in lower case": get(version=b"http/1.1"),
    "a space after the version": get(version=b"HTTP/1.1 "),
    "something after the version": get(version=b"HTTP/1.1 x"),
    "two spaces": get(target=b" /x"),
    "a tab for a space": b"GET\t/x\tHTTP/1.1\r\nhost: back\r\n\r\n",
    "a space first": b" " + get(),
    "a NUL first": b"\0" + get(),
    "a byte order mark first": b"\xef\xbb\xbf" + get(),
    "two empty lines first": b"\r\n\r\n" + get(),
    "a bare LF first": b"\n" + get(),
    "a bare CR first": b"\r" + get(),
    "lines that end in LF": get().replace(b"\r\n", b"\n"),
    "lines that end in CR": get().replace(b"\r\n", b"\r"),
    "one line that ends in LF": b"GET /x HTTP/1.1\nhost: back\r\n\r\n",
    "a head that ends in LF": b"GET /x HTTP/1.1\r\nhost: back\r\n\n",
    "a head that ends in LF LF": b"GET /x HTTP/1.1\r\nhost: back\n\n",
    "lines that end in CR CR LF": get().replace(b"\r\n", b"\r\r\n"),
    "no method": b"/x HTTP/1.1\r\nhost: back\r\n\r\n",
    "an odd method": b"G(T /x HTTP/1.1\r\nhost: back\r\n\r\n",
    "a method of bytes": b"G\xc9T /x HTTP/1.1\r\nhost: back\r\n\r\n",
    "a method in small letters": b"get /x HTTP/1.1\r\nhost: back\r\n\r\n",
    "a method that is partly small": b"Get /x HTTP/1.1\r\nhost: back\r\n\r\n",
    "a long method": b"A" * 500 + b" /x HTTP/1.1\r\nhost: back\r\n\r\n",
    "an empty name": get(b": x"),
    "no colon": get(b"header"),
    "a name with a space": get(b"a b: c"),
    "a name with a NUL": get(b"a\0b: c"),
    "a name with a byte": get(b"a\xe9b: c"),
    "a name with a bracket": get(b"a[b: c"),
    "a name with a slash": get(b"a/b: c"),
    "a name in quotes": get(b'"a": c'),
    "a value with a NUL": get(b"a: b\0c"),
    "a value with a bare CR": get(b"a: b\rc"),
    "a value that ends in CR": get(b"a: b\r"),
    "a value with a vertical tab": get(b"a: b\x0bc"),
    "a value with DEL": get(b"a: b\x7fc"),
    "a value with an escape": get(b"a: b\x1b[2Jc"),
    "a folded value": get(b"a: b\r\n c"),
    "a value folded by a tab": get(b"a: b\r\n\tc"),
    "a folded line of spaces": get(b"a: b\r\n  "),
    "a header line first that is folded": b"GET /x HTTP/1.1\r\n folded\r\nhost: back\r\n\r\n",
    "a preface of HTTP/2 that is none": b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    "a greeting of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n",
    "a response": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "too many headers": get(*(b"a%d: b" % n for n in range(200))),
    "a header that is too large": get(b"a: " + b"b" * 70_000),
}
REFUSED = LENGTHS | ENCODINGS | TWO_FRAMINGS | CHUNKS | HOSTS | TARGETS | LINES
"""None of these may reach anybody."""

FORWARDED = {
    "a plain request": get(),
    "one empty line first": b"\r\n" + get(),
    "HTTP/1.0": get(version=b"HTTP/1.0"),
    "a URL": get(target=b"http://back/x"),
    "a URL with its port": get(target=b"http://back:80/x"),
    "a URL in capitals": get(target=b"HTTP://BACK/x"),
    "a host with its port": get(host=b"host: back:80"),
    "a host in capitals": get(host=b"HOST: BACK"),
    "a host without a space": get(host=b"host:back"),
    "a host with spaces around": get(host=b"host: \t back \t "),
    "a query": get(target=b"/x?a=b&c=d%20e"),
    "an escaped path": get(target=b"/a%2fb/%c3%a9"),
    "dots": get(target=b"/a/../b/./c"),
    "two slashes": get(target=b"//x"),
    "characters that should be escaped": get(target=b"/a|b?c[]={d}"),
    "an empty value": get(b"a:"),
    "a value of bytes": get(b"a: \xe9\xff"),
    "a value with a tab": get(b"a: b\tc"),
    "an odd name": get(b"!#$%&'*+-.^_`|~a: b"),
    "a length": post(b"content-length: 5"),
    "a length with spaces around": post(b"content-length: \t5 \t"),
    "a length with zeros": post(b"content-length: 005"),
    "a length in capitals": post(b"CONTENT-LENGTH: 5"),
    "a length of nothing": post(b"content-length: 0", body=b""),
    "no body": post(body=b""),
    "chunks": chunked(BODY),
    "chunks in capitals": post(b"Transfer-Encoding: CHUNKED", body=BODY),
    "chunks of many sizes": chunked(b"1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n"),
    "chunks with zeros": chunked(b"0005\r\nhello\r\n000\r\n\r\n"),
    "chunks in capital digits": chunked(b"A\r\nhellohello\r\n0\r\n\r\n"),
    "chunks with extensions": chunked(b'5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n'),
    "no chunks": chunked(b"0\r\n\r\n"),
    "trailers": chunked(b"5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n", b"trailer: x-sum"),
    "trailers of framing": chunked(
        b"5\r\nhello\r\n0\r\ncontent-length: 50\r\ntransfer-encoding: chunked\r\nhost: other\r\n\r\n"
    ),
    "a request within a body": post(b"content-length: %d" % len(get()), body=get()),
    "a request within a chunk": chunked(b"%x\r\n" % len(get()) + get() + b"\r\n0\r\n\r\n"),
    "a body of a GET": get(b"content-length: 5") + b"hello",
    "a length named by Connection": post(b"connection: content-length", b"content-length: 5"),
    "an encoding named by Connection": chunked(BODY, b"connection: transfer-encoding"),
    "a host named by Connection": get(b"connection: host"),
    "an upgrade nobody knows": get(b"connection: upgrade", b"upgrade: chat/2"),
    "an upgrade to h2c": get(b"connection: upgrade, http2-settings", b"upgrade: h2c", b"http2-settings: AAMAAABk"),
    "an upgrade to h2c with a body": post(b"connection: upgrade", b"upgrade: h2c", b"content-length: 5"),
    "an expectation": post(b"expect: 100-continue", b"content-length: 5"),
    "te": get(b"te: trailers, gzip", b"connection: te"),
    "a method nobody knows": b"REPORT /x HTTP/1.1\r\nhost: back\r\n\r\n",
}
"""Odd, and yet with one meaning: each reaches a backend once."""


def generated(count: int, seed: int) -> dict[str, bytes]:
    """Requests put together at random from sound and unsound parts; the same ones for the same seed."""
    rng = random.Random(seed)
    methods = [b"GET", b"POST", b"PUT", b"PATCH", b"OPTIONS", b"get", b"P\tT"]
    targets = [b"/x", b"/", b"http://back/x", b"*", b"/x?y", b"/\x01", b"/x y", b"x", b"http://other/"]
    versions = [b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.1 "]
    lines = [b"host: back"] * 4 + [
        *(
            b"Host: back",
            b"host: other",
            b"content-length: 5",
            b"content-length: 0",
            b"Content-Length: 4",
            b"content-length: +5",
        ),
        *(
            b"transfer-encoding: chunked",
            b"Transfer-Encoding: Chunked",
            b"transfer-encoding: x",
            b"transfer-encoding : chunked",
        ),
        *(b"connection: close", b"connection: keep-alive", b"connection: content-length", b"expect: 100-continue"),
        *(
            b"x: y",
            b" folded",
            b"x: \x00",
            b"x",
            b"trailer: x",
            b"te: trailers",
            b"upgrade: websocket",
            b"connection: upgrade",
        ),
    ]
    ends = [b"\r\n"] * 30 + [b"\n", b"\r", b"\r\r\n"]
    bodies = [
        b"",
        b"hello",
        b"hell",
        BODY,
        b"0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nx: y\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"\r\n",
    ]
    made = {}
    for number in range(count):
        request = b" ".join((rng.choice(methods), rng.choice(targets), rng.choice(versions))) + rng.choice(ends)
        for _ in range(rng.randrange(1, 5)):
            request += rng.choice(lines) + rng.choice(ends)
        made[f"generated {seed}/{number}"] = request + rng.choice(ends) + rng.choice(bodies)
    return made
