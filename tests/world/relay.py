"""A TCP relay between a client and a server that can swallow what the server answers, as a network that fails does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Relay:
    """Carries connections to `port`. While `deaf` is set, answers are swallowed and then the connection is closed."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.deaf = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            _cut(end)
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for source, sink, answers in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._carry, args=(source, sink, answers), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if answers and self.deaf.is_set() and _ends_an_insert(data):
                    break
                sink.sendall(data)
        _cut(source)
        _cut(sink)


def _ends_an_insert(data: bytes) -> bool:
    """Whether a server's bytes close with its end of stream: whatever was sent to it is stored by then."""
    return data.endswith(b"\x05")


def _cut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def relay(port: int) -> Iterator[Relay]:
    opened = Relay(port)
    try:
        yield opened
    finally:
        opened.close()
