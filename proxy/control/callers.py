"""Who may change what the control plane knows: processes of its own machine, and whoever has the token."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from aiohttp import web


class Callers:
    """`token` is what other machines must show as `Authorization: Bearer`; when it is empty they may change nothing."""

    def __init__(self, token: str) -> None:
        self._token = token

    def refusal(self, request: web.Request) -> str | None:
        """Why this request may change nothing; None when it may."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if given:
            right = self._token and hmac.compare_digest(given.encode(), self._token.encode())
            return None if right else "the token is not that of this control plane (whymesh control --token)"
        if request.remote and ip_address(request.remote.partition("%")[0]).is_loopback:
            return None
        return "from another machine this takes the token of the control plane (whymesh control --token)"
