"""Webhooks go to http and https, never to link-local or metadata addresses, however these are written."""

from __future__ import annotations

import pytest

from rootcause.alerts.targets import CheckedResolver, TargetRefused, forbidden, read_target


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://169.254.43518/",
        "http://0251.0376.0251.0376/",
        "http://169.254.169.254./",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com/hook",
        "http:///hook",
    ],
)
def test_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        read_target(url, allow_link_local=False)


def test_link_local_when_allowed() -> None:
    assert read_target("http://169.254.1.1/hook", allow_link_local=True).url.host == "169.254.1.1"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9999/hook", "https://hooks.example.com/a?token=b", "http://[::1]/", "http://10.1.2.3/"]
)
def test_taken(url: str) -> None:
    assert str(read_target(url, allow_link_local=False).url) == url


def test_a_format_stands_before_the_address() -> None:
    target = read_target("slack+https://hooks.example.com/a?token=b", allow_link_local=False, key="k")
    assert (target.format, target.key, target.name) == ("slack", "", "slack+https://hooks.example.com/a")
    assert target.queue != read_target("https://hooks.example.com/a?token=b", allow_link_local=False).queue
    assert read_target("pagerduty+https://events.example.com/", allow_link_local=False, key="k").key == "k"
    for text, told in (("pager+https://a/", "known: json, alertmanager"), ("pagerduty+https://a/", "integration key")):
        with pytest.raises(TargetRefused, match=told):
            read_target(text, allow_link_local=False)


def test_a_scope_is_no_way_around() -> None:
    assert forbidden("fe80::1%eth0")


async def test_names_are_checked_when_resolved() -> None:
    resolver = CheckedResolver(allow_link_local=False)
    try:
        assert [result["host"] for result in await resolver.resolve("127.0.0.1", 80)] == ["127.0.0.1"]
        with pytest.raises(OSError, match=r"169\.254\.169\.254 resolves to a link-local"):
            await resolver.resolve("169.254.169.254", 80)
    finally:
        await resolver.close()


def test_a_name_tells_no_secret() -> None:
    tokens = {
        "slack+https://hooks.slack.com/services/T01/B02/kq8Zd0Wm3xV7tR1yLs5Hn2Pc": "services/T01/B02/kq8Z…",
        "https://me:kq8Zd0Wm3xV7@example.com/hooks/on-call?token=kq8Zd0Wm3xV7": "hooks/on-call",
        "teams+https://example.com:8443/webhookb2/c0ffee00-1111-2222-3333-444455556666/in": "webhookb2/c0ff…/in",
    }
    for url, shown in tokens.items():
        name = read_target(url, allow_link_local=False).name
        assert name.endswith(f"/{shown}"), name
        assert "kq8Zd" not in name
        assert "://me" not in name
