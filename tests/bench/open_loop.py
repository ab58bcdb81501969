"""Requests at a constant rate over HTTP/1.1, each timed from when it was due: no coordinated omission.

In: a port, a rate. Out: latencies in seconds. A request that is due while every connection is busy gets one more, up to
a bound; one that is sent late, for want of a connection or because the generator was, counts from when it was due.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

_PATIENCE_S = 10.0
_MOST_CONNECTIONS = 64
_END_OF_HEAD = b"\r\n\r\n"


class Failed(RuntimeError):
    """An answer was missing or not 200."""


@dataclass
class _Exchange:
    """A connection and the request on it."""

    connection: socket.socket
    due: float = 0.0
    answer: bytes = b""

    def complete(self) -> bool:
        """Whether the answer, which must carry a Content-Length, is there to its last byte."""
        head, found, body = self.answer.partition(_END_OF_HEAD)
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise Failed(head.decode("latin-1"))
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        return len(body) >= length


def drive(port: int, host: str, rate: float, seconds: float, warm_s: float = 1.0) -> list[float]:
    """Latencies of all requests due within `seconds`, after as many of `warm_s` that are not counted."""
    with contextlib.closing(_Connections(port, host or f"127.0.0.1:{port}")) as connections:
        started, sent, total = time.perf_counter(), 0, int(rate * (seconds + warm_s))
        latencies: list[float] = []
        while sent < total or connections.busy:
            due = started + sent / rate if sent < total else math.inf
            while due <= time.perf_counter() and connections.send(due):
                sent += 1
                due = started + sent / rate if sent < total else math.inf
            for answered in connections.answers(due):
                if answered >= started + warm_s:
                    latencies.append(time.perf_counter() - answered)
        return latencies


class _Connections:
    """Keep-alive connections, as many as are busy at once up to a bound."""

    def __init__(self, port: int, host: str) -> None:
        self._port = port
        self._request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._idle: list[_Exchange] = []
        self._poll = select.epoll()
        self.busy: dict[int, _Exchange] = {}

    def send(self, due: float) -> bool:
        """Sends one request; False when it must wait for a connection."""
        if not self._idle:
            if len(self.busy) >= _MOST_CONNECTIONS:
                return False
            self._idle.append(self._connected())
        exchange = self._idle.pop()
        exchange.due, exchange.answer = due, b""
        self.busy[exchange.connection.fileno()] = exchange
        exchange.connection.send(self._request)
        return True

    def answers(self, until: float) -> Iterator[float]:
        """Waits for an answer or until a time; yields when each request answered by then was due."""
        pause = _PATIENCE_S if len(self.busy) >= _MOST_CONNECTIONS else min(until - time.perf_counter(), _PATIENCE_S)
        # select waits to the microsecond, epoll itself only to the millisecond
        ready = select.select([self._poll.fileno()], [], [], max(0.0, pause))[0]
        if not ready and pause == _PATIENCE_S:
            raise Failed(f"no answer for {_PATIENCE_S:.0f} s")
        for number, _ in self._poll.poll(0):
            exchange = self.busy[number]
            exchange.answer += exchange.connection.recv(65_536)
            if exchange.complete():
                self._idle.append(self.busy.pop(number))
                yield exchange.due

    def close(self) -> None:
        for exchange in (*self._idle, *self.busy.values()):
            exchange.connection.close()
        self._poll.close()

    def _connected(self) -> _Exchange:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll.register(connection, select.EPOLLIN)
        return _Exchange(connection)


def percentile(latencies: list[float], of_hundred: float) -> float:
    """The latency that so many of a hundred requests did not exceed."""
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * of_hundred / 100))]
