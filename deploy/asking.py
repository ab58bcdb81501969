"""Asks a process of the mesh over HTTP.

In: an address, and who is there in the operator's words. Out: its answer, or one sentence on why there is none.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import ssl

TIMEOUT_S = 15.0
ROOT = "WHYMESH_CONTROL_ROOT"
_LONGEST_WORD = 4_096


class Unanswered(OSError):
    """Nobody answers (`status` 0), or the answer is no; the message is for the operator, `word` what was answered."""

    def __init__(self, message: str, status: int = 0, word: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.word = word
        self.headers: Mapping[str, str] = headers or {}


def ask(
    url: str,
    who: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    content_type: str = "application/json",
    timeout_s: float = TIMEOUT_S,
) -> HTTPResponse:
    """The answer, to be read and closed; `url` is http or https, as its option has checked. Raises Unanswered."""
    headers = {} if body is None else {"Content-Type": content_type}
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310
    try:
        return cast(HTTPResponse, urllib.request.urlopen(request, timeout=timeout_s, context=trusting(url)))  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            word = _word(error)
        raise Unanswered(f"{who} refuses: {word}", error.code, word, dict(error.headers)) from None
    except OSError as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise Unanswered(f"no answer from {who}: {reason}") from None


def trusting(url: str) -> ssl.SSLContext | None:
    """By what a server at https is known: the roots in the file that WHYMESH_CONTROL_ROOT names, or the system's.

    Raises OSError when that file cannot be used.
    """
    if not url.startswith("https:"):
        return None
    import ssl

    named = os.environ.get(ROOT)
    try:
        return ssl.create_default_context(cafile=named)
    except OSError as error:
        raise OSError(f"{ROOT}={named}: {error.strerror or error}") from None


def ask_json(url: str, who: str, *, method: str = "GET", body: Any = None) -> Any:
    """The same of one that speaks JSON: what it answers, None when it answers nothing. Raises Unanswered."""
    sent = None if body is None else json.dumps(body).encode()
    with ask(url, who, method=method, body=sent) as answer:
        try:
            text = answer.read()
            return json.loads(text) if text else None
        except (OSError, ValueError) as error:
            raise Unanswered(f"the answer of {who} cannot be read: {error}") from None


def _word(error: urllib.error.HTTPError) -> str:
    """Why it says no: the `error` of its JSON, or its text."""
    try:
        text = error.read(_LONGEST_WORD).decode(errors="replace").strip()
    except OSError:
        text = ""
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text or f"answered {error.code}"
