"""Joins by the token of a Kubernetes service account: the cluster itself says whose it is (TokenReview).

In: the token that a pod has, for the audience `whymesh`. Out: its namespace, service account and pod. Never: a token
for another audience, or one that is bound to no pod: who has copied it once could use it anywhere.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from proxy.control.authority.errors import Refused

AUDIENCE = "whymesh"
DEFAULT_NAMESPACE = "default"
PATIENCE_S = 5.0
_FORM = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""A JWT (RFC 7519), as clusters make them."""
_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")
_POD = "authentication.kubernetes.io/pod-name"

Ask = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Has a cluster review: a TokenReview, and the same with its status; raises OSError when the cluster is away."""


@dataclass(frozen=True)
class Account:
    """Whose token it is."""

    namespace: str
    name: str
    pod: str

    def check(self, proxy: str, uri: str, *, gateway: bool) -> str:
        """How it is called, where it may have this identity at this proxy; raises Refused.

        A proxy beside an instance is in the instance's pod, and is called like it; a gateway's pods have an account of
        the gateway's name.
        """
        called = f"the service account {self.namespace}/{self.name} of the pod {self.pod}"
        instance = self.pod if self.namespace == DEFAULT_NAMESPACE else f"{self.pod}.{self.namespace}"
        mine = uri.endswith(f"/sa/{self.name}") if gateway else proxy == instance
        if not mine or f"/ns/{self.namespace}/" not in uri:
            raise Refused("account_other", f"{called} is not that of the proxy {proxy}")
        return called


def is_account_token(token: str) -> bool:
    """Whether it looks like one, and not like ours."""
    return bool(_FORM.fullmatch(token))


async def review(ask: Ask, token: str) -> Account:
    """Whose it is; raises Refused."""
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": [AUDIENCE]},
    }
    try:
        async with asyncio.timeout(PATIENCE_S):
            said = (await ask(asked)).get("status") or {}
    except (OSError, TimeoutError) as error:
        raise Refused("account_unknown", f"the cluster does not review tokens now: {error or 'no answer'}") from None
    if not said.get("authenticated"):
        raise Refused("account_refused", f"the cluster refuses the token: {said.get('error') or 'it is not valid'}")
    if AUDIENCE not in (said.get("audiences") or ()):
        raise Refused("account_refused", f"the token is not for the audience {AUDIENCE}")
    user = said.get("user") or {}
    match = _ACCOUNT.fullmatch(user.get("username") or "")
    pods = (user.get("extra") or {}).get(_POD) or []
    if match is None or len(pods) != 1:
        raise Refused("account_unbound", "the token is not that of a service account, bound to a pod")
    return Account(match[1], match[2], pods[0])
