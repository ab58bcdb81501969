"""The way to the API of one cluster, shared by all who ask it something.

In: the service account of the Pod that we run in, or a kubeconfig. Out: a client of the API. Raises OSError where
there is no such cluster.
"""

from __future__ import annotations

from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, Configuration
from yaml import YAMLError


class Connection:
    """Made when it is first needed, on the event loop that needs it."""

    def __init__(self, kubeconfig: str | None) -> None:
        self._kubeconfig = kubeconfig
        self._api: ApiClient | None = None

    async def api(self) -> ApiClient:
        """The client; raises OSError."""
        if self._api is None:
            known = Configuration()
            try:
                if self._kubeconfig:
                    await config.load_kube_config(config_file=self._kubeconfig, client_configuration=known)
                else:
                    config.load_incluster_config(client_configuration=known)  # type: ignore[no-untyped-call]
            except (config.ConfigException, YAMLError) as error:
                raise OSError(f"no cluster to ask: {error}; run in one, or name one by --kubeconfig") from None
            self._api = ApiClient(known)
        return self._api

    async def close(self) -> None:
        """Ends what is under way."""
        if self._api is not None:
            await self._api.close()
