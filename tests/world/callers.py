"""An application that answers at once, and callers that ask it through a proxy without a pause."""

from __future__ import annotations

import http.client
import threading

from tests.world.processes import until
from tests.world.threaded import Answering, Application


class Holding(Application):
    """Answers at once, but to `/held` when told to."""

    def __init__(self) -> None:
        super().__init__(_Held)
        self.arrived, self.go_on = threading.Event(), threading.Event()


class _Held(Answering):
    server: Holding

    def body(self) -> bytes:
        if self.path == "/held":
            self.server.arrived.set()
            self.server.go_on.wait(30)
        return super().body()


class Load:
    """Callers that ask a loopback port without a pause, each on new connections or on one that it keeps."""

    def __init__(self, port: int, host: str = "front") -> None:
        self.answers: list[int] = []
        self.failures: list[str] = []
        self._port, self._host = port, host
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._drive, args=(keep,)) for keep in (False, False, True, True)]

    def _drive(self, keep: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._done.is_set():
            try:
                connection.request("GET", "/", headers={"Host": self._host})
                answer = connection.getresponse()
                answer.read()
                self.answers.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            if not keep:
                connection.close()
        connection.close()

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def more(self, answers: int = 100) -> None:
        """Returns once so many more have come."""
        sofar = len(self.answers)
        until(lambda: len(self.answers) > sofar + answers, f"{answers} answers")
