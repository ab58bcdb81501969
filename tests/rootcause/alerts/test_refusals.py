"""Why a webhook did not take a message, in words."""

import pytest

from rootcause.alerts.refusals import refusal


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            302,
            "answered 302: a redirect, which is not followed; name the receiver itself in webhooks.urls",
        ),
        (400, "slack+"),
        (401, "webhooks.secret_file"),
        (404, "look at the address"),
        (418, "answered 418"),
        (503, "answered 503: the receiver is in trouble"),
    ],
)
def test_it_says_what_to_do(status: int, said: str) -> None:
    assert said in refusal(status)


def test_where_a_redirect_leads_is_told_without_tokens() -> None:
    said = refusal(307, "https://me:secret@hooks.example.com/new?token=secret")
    assert "a redirect to https://hooks.example.com/new, which" in said
    assert "secret" not in said
