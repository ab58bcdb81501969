"""Who may change what the control plane knows: processes of its own machine, and whoever shows a token.

In: a request. Out: the name of who made it, for the history, or why it is refused. Never: a browser's request that a
page of somebody else's made it send, or one that a proxy on this machine passes on for somebody elsewhere, taken for
the operator's.
"""

from __future__ import annotations

import hmac
import re
from ipaddress import ip_address

from aiohttp import web

from proxy.control.errors import NotAllowed
from proxy.control.state.tokens import Tokens

_PASSED_ON = ("Forwarded", "Via", "X-Forwarded-For", "X-Real-IP")
_NAME = re.compile(r"[\w@.+-]{1,64}")
ACTOR = "Mesh-Actor"
"""Who somebody on this machine says to be, for the history only."""


class Callers:
    """`tokens` are those of the state, `given` is one from a file, `operator` the key without which being on this
    machine says nothing; the latter two are empty for none."""

    def __init__(self, tokens: Tokens, given: str = "", operator: str = "") -> None:
        self._tokens, self._given, self._operator = tokens, given, operator

    def actor(self, request: web.Request) -> str:
        """Who asks; raises NotAllowed."""
        if self._is_operator(request):
            return _said(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme:
            return self._named(scheme, token.strip())
        if self._operator:
            raise NotAllowed(
                "this takes a token on this machine, too (Authorization: Bearer …): the commands of the user who "
                "started the mesh show one by themselves; whymesh token NAME makes one for others (WHYMESH_TOKEN)"
            )
        if not is_local(request):
            raise NotAllowed(
                "from another machine this takes a token (Authorization: Bearer …): make one with whymesh token, "
                "or name a file with one by whymesh control --token"
            )
        return _said(request)

    def refusal(self, request: web.Request) -> str | None:
        """Why this request may change nothing; None when it may."""
        try:
            self.actor(request)
        except NotAllowed as error:
            return str(error)
        return None

    def local(self, request: web.Request) -> None:
        """Raises NotAllowed for whoever is not on this machine, whatever they show, or is not its operator."""
        if not is_local(request):
            raise NotAllowed("this is done on the machine of the control plane only")
        if self._operator and not self._is_operator(request):
            raise NotAllowed("this is for the user who started the mesh")

    def _is_operator(self, request: web.Request) -> bool:
        shown = request.headers.get("Authorization", "")
        return bool(self._operator) and hmac.compare_digest(_bytes(shown), _bytes(f"Bearer {self._operator}"))

    def _named(self, scheme: str, token: str) -> str:
        if scheme.lower() == "bearer":
            if self._given and hmac.compare_digest(_bytes(token), _bytes(self._given)):
                return "token of --token"
            if name := self._tokens.name_of(token):
                return f"token {name}"
        raise NotAllowed("the token is none of this control plane (whymesh token, whymesh control --token)")


def _bytes(header: str) -> bytes:
    """What came, be it text or not."""
    return header.encode(errors="surrogateescape")


def _said(request: web.Request) -> str:
    """Who somebody says to be who may do everything anyway."""
    said = request.headers.get(ACTOR, "")
    return said if _NAME.fullmatch(said) else "somebody on this machine"


def is_local(request: web.Request) -> bool:
    """Whether it comes from this machine, straight, and by one of its names (not by one that DNS was made to say)."""
    host = re.sub(r":\d+$", "", request.headers.get("Host", "")).strip("[]")
    if any(name in request.headers for name in _PASSED_ON):
        return False
    return _is_loopback(request.remote or "") and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
