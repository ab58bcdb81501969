"""What users do not feel and requests log, from a real collector's store to an incident and its proof sheet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.store.client import Reader
from rootcause.explain.finding import Finding
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.journal import Journal
from rootcause.load.spans import Kind
from rootcause.watch import Watch
from tests.rootcause.log_lines import Lines
from tests.rootcause.stored import send, store_url
from tests.world.collectors import Collector, collector
from tests.world.mesh_sim import Proxied, Shop

START = 1_700_000_000
SWALLOWS, FORGETS, REWORDS = START, START + 7200, START + 14400
CHANGE_S, BACK_S, LENGTH_S = 65, 95, 140


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Three times the shop is well for 70 s; then one of its services says something else for a while, and answers as
    before."""
    with collector(tmp_path_factory.mktemp("collector")) as running:
        lines = Lines()
        for at in (SWALLOWS, FORGETS, REWORDS):
            spans = Shop(at % 89, rate=1.5).run(at, LENGTH_S)
            send(running, spans)
            for one in spans:
                say(lines, one, at)
        lines.send(running)
        yield running


def say(lines: Lines, one: Proxied, scene: int) -> None:
    span = one.span
    changed = scene + CHANGE_S <= span.start_ns / 1e9 < scene + BACK_S
    if span.service != "inventory" or span.kind is not Kind.SERVER:
        return
    lines.add(span, f"{span.id} asked for")
    if not changed or scene != FORGETS:
        lines.add(span, f"stock read in {len(span.id)} ms")
    if changed and scene == REWORDS:
        lines.add(span, "looked up on the new shelf")
    if changed and scene == SWALLOWS:
        lines.add(span, "stock not read, 100% sure that it's zero\nTimeoutError\n  at read_stock", 13, "WARN")


@pytest.fixture
def reader(running: Collector) -> Iterator[Reader]:
    with Reader(store_url(running)) as reader:
        yield reader


def watched(reader: Reader, scene: int) -> list[tuple[str, int, Finding]]:
    """What happened to incidents, how many seconds after the change."""
    watch = Watch(reader, Casebook(Journal(reader)))
    happened: list[tuple[str, int, Finding]] = []
    for after in range(CHANGE_S - 10, LENGTH_S, 5):
        _, news = watch.evaluate(float(scene + after))
        happened += [(event, after - CHANGE_S, finding) for event, finding in news]
    return happened


def test_a_swallowed_exception_is_an_incident_until_it_is_no_more(reader: Reader) -> None:
    (opened, after, finding), (resolved, until, _) = watched(reader, SWALLOWS)
    assert (opened, resolved, finding.culprit.service) == ("opened", "resolved", "inventory")
    assert 0 < after <= 30
    assert until > BACK_S - CHANGE_S
    assert '"WARN stock not read sure that it s zero", usually 0 %' in finding.title
    (told,) = finding.evidence
    (row,) = reader.rows(told.sql)
    assert (row["Window"], row["Lines"] >= row["Traces"] > 10) == ("incident", True)
    assert row["Example"].startswith("stock not read, 100% sure that it's zero")


def test_a_line_that_is_gone_is_an_incident(reader: Reader) -> None:
    (opened, after, finding), (resolved, _, _) = watched(reader, FORGETS)
    assert (opened, resolved, finding.culprit.service) == ("opened", "resolved", "inventory")
    assert 0 < after <= 30
    assert "0 % of its" in finding.title
    assert '"INFO stock read in ms", usually 100 %' in finding.title
    rows = {row["Window"]: row for row in reader.rows(finding.evidence[0].sql)}
    assert rows["baseline"]["Lines"] > 50
    assert rows["baseline"]["Example"] == "stock read in 16 ms"


def test_other_words_are_no_incident(reader: Reader) -> None:
    assert watched(reader, REWORDS) == []
