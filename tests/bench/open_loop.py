"""Requests at a constant rate over HTTP/1.1, each timed from when it was due: no coordinated omission.

In: a port, a rate. Out: latencies in seconds. A request that is due while every connection is busy gets one more
connection; one that is sent late because the generator was, counts from when it should have been sent.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from dataclasses import dataclass

_PATIENCE_S = 5.0
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
    request = f"GET / HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\n\r\n".encode()
    idle: deque[_Exchange] = deque()
    busy: dict[int, _Exchange] = {}
    poll = select.epoll()
    latencies: list[float] = []
    started, sent, total = time.perf_counter(), 0, int(rate * (seconds + warm_s))
    while sent < total or busy:
        # select waits to the microsecond, epoll itself only to the millisecond
        pause = started + sent / rate - time.perf_counter() if sent < total else _PATIENCE_S
        if not select.select([poll.fileno()], [], [], max(0.0, pause))[0] and sent == total:
            raise Failed(f"no answer for {_PATIENCE_S:.0f} s")
        now = time.perf_counter()
        while sent < total and started + sent / rate <= now:
            exchange = idle.pop() if idle else _Exchange(_connected(port, poll))
            exchange.due, exchange.answer = started + sent / rate, b""
            exchange.connection.send(request)
            busy[exchange.connection.fileno()] = exchange
            sent += 1
        for number, _ in poll.poll(0):
            exchange = busy[number]
            exchange.answer += exchange.connection.recv(65_536)
            if exchange.complete():
                if exchange.due >= started + warm_s:
                    latencies.append(time.perf_counter() - exchange.due)
                idle.append(busy.pop(number))
    for exchange in idle:
        exchange.connection.close()
    poll.close()
    return latencies


def _connected(port: int, poll: select.epoll) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    poll.register(connection, select.EPOLLIN)
    return connection


def percentile(latencies: list[float], of_hundred: float) -> float:
    """The latency that so many of a hundred requests did not exceed."""
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * of_hundred / 100))]
