"""The one way of the pages to the root-cause engine: who is told of incidents, and whether that works.

In: the engine's address, WHYMESH_ROOTCAUSE. Out: its JSON, or a sentence on why there is none. Never: any order but to
try the webhooks, for a page does not know who looks at it.
"""

import json
import os
import urllib.error
import urllib.request
from typing import Any

import streamlit as st

ANSWER_SECONDS = 3.0
TRIAL_SECONDS = 30.0  # a webhook has ten seconds for each of the two messages of a test
KEPT_SECONDS = 5
BY = "the web UI"

Webhooks = list[dict[str, Any]]


class EngineAway(Exception):
    """It does not answer, or refuses; the message says why."""


def engine_url() -> str:
    """The address of the engine; empty when nobody said it."""
    return (os.environ.get("WHYMESH_ROOTCAUSE") or "").rstrip("/")


def webhooks() -> Webhooks:
    """Who is told of what, how many messages wait and why, or what was answered moments ago. Raises EngineAway."""
    return _kept(engine_url())


def try_webhooks() -> Webhooks:
    """Sends each a test message: whether it was delivered, else the error. Raises EngineAway."""
    return _ask(f"{engine_url()}/v1/webhooks/test", json.dumps({"by": BY}).encode(), TRIAL_SECONDS)


@st.cache_data(ttl=KEPT_SECONDS, max_entries=4, show_spinner=False)
def _kept(url: str) -> Webhooks:
    return _ask(f"{url}/v1/webhooks", None, ANSWER_SECONDS)


def _ask(url: str, body: bytes | None, seconds: float) -> Webhooks:
    if not url.startswith(("http://", "https://")):
        raise EngineAway(f"{url}: expected http://host:port")
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
            found: Webhooks = json.loads(answer.read())["webhooks"]
            return found
    except urllib.error.HTTPError as error:
        raise EngineAway(_refusal(error)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise EngineAway(str(reason)) from None


def _refusal(error: urllib.error.HTTPError) -> str:
    with error:
        try:
            return str(json.loads(error.read(65_536))["error"])
        except (OSError, ValueError, KeyError, TypeError):
            return f"answered {error.code}"
