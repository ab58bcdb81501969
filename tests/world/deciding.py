"""A proxy beside an application that answers everything: what gets through is what its policies allow."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from proxy._engine import Engine
from proxy.snapshot import Inbound, Node, Snapshot, Workload
from proxy.snapshot.authorization import Authorization
from tests.world.processes import free_port
from tests.world.threaded import Answering, Application, serving


class _Everything(Answering):
    do_POST = do_DELETE = Answering.do_GET  # noqa: N815 - http.server looks for these names


class Deciding:
    """The proxy of `back-1`, and one connection to it."""

    def __init__(self, application: str) -> None:
        self._address = f"127.0.0.1:{free_port()}"
        self._inbound = Inbound(listen=self._address, app=application)
        self._epoch = 1
        self.engine = Engine(self._snapshot(None).model_dump_json())
        self.connection = http.client.HTTPConnection(self._address, timeout=10)

    def _snapshot(self, authorization: Authorization | None) -> Snapshot:
        node = Node(service="back", version="v1", instance="back-1")
        workload = Workload(node=node, inbound=self._inbound, authorization=authorization)
        return Snapshot(epoch=self._epoch, workloads=(workload,))

    def go_by(self, authorization: Authorization | None) -> None:
        """Has it decide by these from now on."""
        self._epoch += 1
        self.engine.apply(self._snapshot(authorization).model_dump_json())

    def answer(self, method: str, path: str, headers: dict[str, str]) -> tuple[bool, str]:
        """Whether the application got the request, and the code if not."""
        self.connection.request(method, path, headers=headers)
        response = self.connection.getresponse()
        response.read()
        return response.status == 200, response.headers.get("mesh-reason", "")


@contextmanager
def deciding() -> Iterator[Deciding]:
    """The two of them, while the block runs."""
    with serving(Application(_Everything)) as application:
        made = Deciding(f"127.0.0.1:{application.port}")
        try:
            yield made
        finally:
            made.connection.close()
            made.engine.drain(1)
