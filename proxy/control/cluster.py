"""What a control plane has to do with a Kubernetes cluster: nothing, unless its options say so.

In: options. Out: a source of documents, reviews of tokens, the webhook of Pods, and work to do. Never: what belongs to
Kubernetes imported where nothing needs it. Raises NotStarted where it is needed and not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from proxy.control.authority.review import Ask
from proxy.control.errors import NotStarted
from proxy.control.options import Options
from proxy.control.registry import Registry
from proxy.control.sources import Source
from proxy.control.trust import Trust

if TYPE_CHECKING:
    from proxy.control.kubernetes.connection import Connection
    from proxy.control.kubernetes.injection.bundle import Bundle


class ClusterPart:
    """`source` and `ask` are None where the cluster is not asked for them."""

    def __init__(self, options: Options) -> None:
        self._connection: Connection | None = None
        self._bundle: Bundle | None = None
        self.source: Source | None = None
        self.ask: Ask | None = None
        self.door: Callable[[Callable[[], Trust | None]], Iterable[web.RouteDef]] = lambda _: ()
        """The routes of the webhook, which tells Pods whom to believe."""
        if options.kubernetes or options.reviews:
            self._begin(options)

    def _begin(self, options: Options) -> None:
        try:
            from proxy.control.kubernetes.connection import Connection  # noqa: PLC0415
            from proxy.control.kubernetes.injection.bundle import Bundle  # noqa: PLC0415
            from proxy.control.kubernetes.injection.door import InjectionDoor  # noqa: PLC0415
            from proxy.control.kubernetes.reviewing import Reviewing  # noqa: PLC0415
            from proxy.control.kubernetes.source import Cluster  # noqa: PLC0415
        except ModuleNotFoundError:
            raise NotStarted("--kubernetes and --review-tokens take more: pip install 'whymesh[kubernetes]'") from None
        self._connection = connection = Connection(options.kubeconfig)
        if options.reviews:
            self.ask = Reviewing(connection).ask
        if options.kubernetes:
            self.source = cluster = Cluster(connection.api)
            if options.inject:
                self._bundle = Bundle(connection.api)
                self.door = lambda trust: InjectionDoor(
                    options.inject, options.url, lambda: cluster.services, trust
                ).routes()

    async def open(self) -> None:
        """Finds the cluster; raises OSError."""
        if self._connection is not None:
            await self._connection.api()

    async def close(self) -> None:
        """Leaves it."""
        if self._connection is not None:
            await self._connection.close()

    def follow(self, registry: Registry) -> None:
        """Takes what is in force."""
        if self._bundle is not None:
            self._bundle.follow(registry)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What is to be done until the control plane stops, beside following the source."""
        return [self._bundle.run()] if self._bundle is not None else []
