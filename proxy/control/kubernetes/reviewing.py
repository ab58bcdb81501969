"""Has a cluster review tokens, as `proxy.control.authority.review` wants it.

In: a TokenReview. Out: the same with its status, by the API of the cluster.
"""

from __future__ import annotations

from typing import Any

import aiohttp
from kubernetes_asyncio.client import ApiException, AuthenticationV1Api

from proxy.control.kubernetes.connection import Connection


class Reviewing:
    """One cluster; raises OSError where it says nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(self, review: dict[str, Any]) -> dict[str, Any]:
        """What the cluster says of a token."""
        api = await self._connection.api()
        body: Any = review
        try:
            said = await AuthenticationV1Api(api).create_token_review(body)
        except (ApiException, aiohttp.ClientError) as error:
            reason = getattr(error, "reason", None) or str(error)
            raise OSError(reason) from None
        answer: dict[str, Any] = api.sanitize_for_serialization(said)
        return answer
