"""What the security page asks, answered by a real store that the view has filled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from collector.store.client import Reader
from dashboards import security_reads
from dashboards.window import Window
from tests.world.identities import spiffe_id
from tests.world.secured import AUDITED, DENIED, MISSED, PLAIN, RULE


class Asking:
    """Asks the store, up to when it was filled."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        filled = reader.rows("SELECT max(Timestamp) AS last FROM otel.otel_traces")[0]["last"]
        self.window = Window.last(15, filled)

    def __call__(self, sql: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._reader.rows(sql, params or None)


@pytest.fixture(scope="module")
def ask(shop: str) -> Iterator[Asking]:
    with Reader(shop) as reader:
        yield Asking(reader)


def test_every_call_is_counted_by_how_it_was_protected(ask: Asking) -> None:
    rows = security_reads.protection(ask, ask.window)
    assert sum(row["calls"] for row in rows) == ask("SELECT sum(Calls) AS n FROM otel.mesh_routes", {})[0]["n"]
    edges = {(row["source"], row["target"]): row for row in rows}
    plain, mutual = edges[PLAIN, "inventory"], edges["front", "checkout"]
    assert rows[0] == plain, "who is in the clear comes first"
    assert (plain["encrypted"], plain["plaintext"], plain["identities"]) == (0, plain["calls"], [])
    assert plain["plaintext_trace"]
    assert (mutual["encrypted"], mutual["identities"]) == (mutual["calls"], [spiffe_id("front")])
    outside = edges["", "front"]
    assert (outside["encrypted"], outside["plaintext"]) == (0, 0)


def test_denials_name_rule_condition_and_a_request(ask: Asking) -> None:
    denied, audited = security_reads.denials(ask, ask.window)
    for row, count in ((denied, DENIED), (audited, AUDITED)):
        assert (row["source"], row["target"], row["calls"]) == ("checkout", "payments", count)
        assert (row["rule"], row["missed"]) == (RULE, MISSED)
        found = ask("SELECT count() AS n FROM otel.otel_traces WHERE TraceId = %(id)s", {"id": row["trace"]})
        assert found[0]["n"] > 1
    assert (denied["reason"], denied["audit"]) == ("not_allowed", "")
    assert (audited["reason"], audited["audit"]) == ("", "not_allowed")


def test_the_last_certificate_of_each_proxy_is_known(ask: Asking) -> None:
    (row,) = security_reads.certificates(ask, ask.window)
    assert (row["proxy"], row["service"]) == ("payments-1", "payments")
    assert row["identity"] == spiffe_id("payments")
    assert abs(row["ends"] - row["issued"] - 86_400) <= 1
    assert security_reads.authority(ask, ask.window) == []
