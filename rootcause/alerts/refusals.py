"""Says why a webhook did not take a message, and what to do about it. Pure: an answer's status in, a sentence out."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

_ADVICE: Mapping[int, str] = {
    400: "it does not understand the message; is the format before the address (slack+, teams+, …) the right one?",
    401: "it wants other credentials; look at the address and at webhooks.secret_file",
    403: "it does not let us; look at the address and at webhooks.secret_file",
    404: "nothing is there; look at the address in webhooks.urls",
    405: "it takes no messages there; look at the address in webhooks.urls",
    410: "it is gone; make a new one and put its address into webhooks.urls",
    429: "it was told too much; per_minute and gather_s in webhooks.urls ask for less",
}


def refusal(status: int, location: str = "") -> str:
    """`answered 404: …`; `location` is where a redirect leads, told without what may hold a token."""
    if 300 <= status < 400:
        to = urlsplit(location)
        where = f" to {to._replace(netloc=to.netloc.rpartition('@')[2], query='', fragment='').geturl()}"
        there = where if location else ""
        return f"answered {status}: a redirect{there}, which is not followed; name the receiver itself in webhooks.urls"
    if status >= 500:
        return f"answered {status}: the receiver is in trouble; its own log says why"
    advice = _ADVICE.get(status)
    return f"answered {status}: {advice}" if advice else f"answered {status}"
