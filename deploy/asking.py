"""Asks a process of the mesh over HTTP.

In: an address, and who is there in the operator's words. Out: its answer, or one sentence on why there is none.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import ssl

TIMEOUT_S = 15.0
ROOT = "WHYMESH_CONTROL_ROOT"
_LONGEST_REFUSAL = 1024 * 1024


class Unanswered(OSError):
    """Nobody answers (`status` 0), or the answer is no; the message is for the operator, `text` what was answered."""

    def __init__(self, message: str, status: int = 0, text: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.text = status, text
        self.headers: Mapping[str, str] = headers or {}

    @property
    def word(self) -> str:
        """Why it says no: the `error` of its JSON, or its text; empty when nobody answered."""
        return _word(self.text, self.status) if self.status else ""


def ask(
    url: str,
    who: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
    root: str = "",
) -> HTTPResponse:
    """The answer, to be read and closed; `url` is http or https, as its option has checked; at https it is known by the
    roots in the file `root`, empty for those of the system. Raises Unanswered."""
    sent = {**(headers or {}), **({} if body is None else {"Content-Type": content_type})}
    request = urllib.request.Request(url, body, sent, method=method)  # noqa: S310
    try:
        return cast(HTTPResponse, urllib.request.urlopen(request, timeout=timeout_s, context=_trusting(url, root)))  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            text = _text(error)
        refusal = f"{who} refuses: {_word(text, error.code)}"
        raise Unanswered(refusal, error.code, text, dict(error.headers)) from None
    except OSError as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise Unanswered(f"no answer from {who}: {reason}") from None


def _trusting(url: str, root: str) -> ssl.SSLContext | None:
    """By what a server at https is known; raises OSError when the file cannot be used."""
    if not url.startswith("https:"):
        return None
    import ssl

    try:
        return ssl.create_default_context(cafile=root or None)
    except OSError as error:
        raise OSError(f"the roots in {root} (of the run, or of {ROOT}): {error.strerror or error}") from None


def ask_json(
    url: str,
    who: str,
    *,
    method: str = "GET",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
    root: str = "",
) -> Any:
    """The same of one that speaks JSON: what it answers, None when it answers nothing. Raises Unanswered."""
    sent = None if body is None else json.dumps(body).encode()
    with ask(url, who, method=method, body=sent, headers=headers, timeout_s=timeout_s, root=root) as answer:
        try:
            text = answer.read()
            return json.loads(text) if text else None
        except (OSError, ValueError) as error:
            raise Unanswered(f"the answer of {who} cannot be read: {error}") from None


def _text(error: urllib.error.HTTPError) -> str:
    try:
        return error.read(_LONGEST_REFUSAL).decode(errors="replace").strip()
    except OSError:
        return ""


def _word(text: str, status: int) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text or f"answered {status}"
