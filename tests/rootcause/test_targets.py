"""Webhooks go to http and https, never to link-local or metadata addresses, however these are written."""

from __future__ import annotations

import pytest

from rootcause.targets import CheckedResolver, TargetRefused, check_target, forbidden


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com/hook",
        "http:///hook",
    ],
)
def test_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        check_target(url, allow_link_local=False)


def test_link_local_when_allowed() -> None:
    assert check_target("http://169.254.1.1/hook", allow_link_local=True).host == "169.254.1.1"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9999/hook", "https://hooks.example.com/a?token=b", "http://[::1]/"])
def test_taken(url: str) -> None:
    assert str(check_target(url, allow_link_local=False)) == url


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
