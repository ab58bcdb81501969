"""Has a cluster review tokens, as `proxy.control.authority.review` wants it.

In: a TokenReview. Out: the same with its status, by the API of the cluster that we run in or of a kubeconfig.
"""

from __future__ import annotations

from typing import Any

import aiohttp
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, ApiException, AuthenticationV1Api


class Reviewing:
    """One cluster; raises OSError where it says nothing."""

    def __init__(self, kubeconfig: str | None) -> None:
        self._kubeconfig = kubeconfig
        self._api: ApiClient | None = None

    async def ask(self, review: dict[str, Any]) -> dict[str, Any]:
        """What the cluster says of a token."""
        try:
            api = await self._connected()
            body: Any = review
            said = await AuthenticationV1Api(api).create_token_review(body)
            answer: dict[str, Any] = api.sanitize_for_serialization(said)
            return answer
        except (config.ConfigException, ApiException, aiohttp.ClientError) as error:
            reason = getattr(error, "reason", None) or str(error)
            raise OSError(reason) from None

    async def _connected(self) -> ApiClient:
        if self._api is None:
            if self._kubeconfig:
                await config.load_kube_config(config_file=self._kubeconfig)
            else:
                config.load_incluster_config()  # type: ignore[no-untyped-call]
            self._api = ApiClient()
        return self._api
