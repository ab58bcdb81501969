"""Tokens and node keys: who gets in, who does not, and why."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.control.authority.errors import NotPossible, Refused
from proxy.control.authority.ledger import FILE, Ledger
from proxy.control.authority.passes import Passes

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def passes() -> Passes:
    return Passes(Ledger(None, "mesh.local"))


def refusal(passes: Passes, shown: str, proxy: str = "card-1", key: bytes = b"key", now: datetime = NOW) -> str:
    with pytest.raises(Refused) as refused:
        passes.admit(shown, proxy, "uri", key, now)
    return refused.value.code


def test_a_token_is_good_once(passes: Passes) -> None:
    token = passes.make("token", ["card-1"], NOW, HOUR)
    passes.admit(token, "card-1", "uri", b"key", NOW)
    assert refusal(passes, token, key=b"another") == "token_used"


def test_an_answer_that_was_lost_costs_no_token(passes: Passes) -> None:
    token = passes.make("token", ["card-1"], NOW, HOUR)
    assert passes.admit(token, "card-1", "uri", b"key", NOW) == passes.admit(token, "card-1", "uri", b"key", NOW)


def test_one_token_is_for_every_service_of_a_proxy(passes: Passes) -> None:
    token = passes.make("token", ["node-1"], NOW, HOUR)
    for uri in ("one", "two"):
        passes.admit(token, "node-1", uri, uri.encode(), NOW)
    assert [one.used for one in passes.every()] == [2]


def test_one_for_every_proxy_is_that_of_the_first_and_one_for_several_is_good_once_for_each(passes: Passes) -> None:
    anybodys = passes.make("token", None, NOW, HOUR)
    for uri in ("one", "two"):
        passes.admit(anybodys, "card-1", uri, b"key", NOW)
    with pytest.raises(Refused, match="was used before, by card-1"):
        passes.admit(anybodys, "shop-1", "three", b"another", NOW)
    theirs = passes.make("token", ["card-1", "card-2"], NOW, HOUR)
    for proxy in ("card-1", "card-2"):
        passes.admit(theirs, proxy, "uri", proxy.encode(), NOW)
    assert refusal(passes, theirs, key=b"another") == "token_used"


def test_a_token_that_was_used_before_an_upgrade_is_spent(tmp_path: Path) -> None:
    before = Ledger(tmp_path, "mesh.local")
    tokens = [Passes(before).make("token", None, NOW, HOUR) for _ in range(2)]
    before.sql.executescript("DROP TABLE used; CREATE TABLE uses (pass TEXT, uri TEXT, key BLOB)")
    before.sql.execute("INSERT INTO uses VALUES (?, 'uri', x'00')", (tokens[0].split(".")[1],))
    before.close()
    after = Passes(Ledger(tmp_path, "mesh.local"))
    assert refusal(after, tokens[0]) == "token_revoked"
    after.admit(tokens[1], "card-1", "uri", b"key", NOW)


def test_a_node_key_is_good_for_as_long_as_it_is(passes: Passes) -> None:
    key = passes.make("node", None, NOW, None)
    for days in range(0, 800, 100):
        passes.admit(key, f"card-{days}", "uri", str(days).encode(), NOW + timedelta(days=days))


def test_every_refusal_has_its_own_reason(passes: Passes) -> None:
    token = passes.make("token", ["card-1"], NOW, HOUR)
    other = passes.make("token", ["card-1"], NOW, HOUR)
    revoked = passes.make("node", None, NOW, None)
    passes.revoke(revoked.split(".")[1])
    kind, number, _ = token.split(".")
    assert refusal(passes, "") == "token_malformed"
    assert refusal(passes, f"{token}x") == "token_malformed"
    assert refusal(passes, f"{kind}.{number}.{other.split('.')[2]}") == "token_unknown"
    assert refusal(passes, token.replace("-token.", "-node.")) == "token_unknown"
    assert refusal(passes, token, now=NOW + HOUR) == "token_expired"
    assert refusal(passes, token, proxy="card-2") == "token_other_proxy"
    assert refusal(passes, revoked) == "token_revoked"
    passes.admit(token, "card-1", "uri", b"key", NOW)


def test_only_what_was_made_can_be_revoked(passes: Passes) -> None:
    with pytest.raises(NotPossible, match="no token or node key 0123"):
        passes.revoke("0123")


def test_two_processes_take_one_token_once(tmp_path: Path) -> None:
    first, second = (Passes(Ledger(tmp_path, "mesh.local")) for _ in range(2))
    token = first.make("token", ["card-1"], NOW, HOUR)
    second.admit(token, "card-1", "uri", b"key", NOW)
    assert refusal(first, token, key=b"another") == "token_used"


def test_no_secret_is_kept(tmp_path: Path) -> None:
    token = Passes(Ledger(tmp_path, "mesh.local")).make("token", None, NOW, HOUR)
    with sqlite3.connect(tmp_path / FILE) as raw:
        kept = "".join(raw.iterdump())
    assert token.split(".")[1] in kept
    assert token.split(".")[2] not in kept
