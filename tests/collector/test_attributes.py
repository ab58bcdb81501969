"""Rules of the configuration hold from the door to the table, also over a crash that comes between two sets of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.config import load
from collector.encode import Encoder
from collector.errors import ConfigRefused, LogUnwritable
from collector.receive.request import Form, Request, Taken
from collector.receive.signals import Signal
from collector.store.embedded import EmbeddedStore
from collector.wal.log import Log
from collector.wal.policy import Policy
from collector.write.earlier import Earlier
from collector.write.group import partition_of
from collector.write.resume import Resume
from tests.world import otlp_requests as world
from tests.world.collectors import collector
from tests.world.processes import get

RULES = """\
attributes:
  redact: [{name: cards, action: mask, values: [card]}, {name: users, action: hash, keys: ['user.*']}]
  hash_key_file: KEY
  limits: {count: 100}
"""
MASK = '{"redact": [{"name": "m", "action": "mask", "keys": ["k"]}], "hash_key": ""}'


def test_what_is_sent_is_stored_without_it(tmp_path: Path) -> None:
    key, config = tmp_path / "key", tmp_path / "collector.yaml"
    key.write_text("salt\n")
    config.write_text(RULES.replace("KEY", str(key)))
    span = world.span(attributes=[world.attribute("user.id", "ann"), world.attribute("n", "4111111111111111")])
    with collector(tmp_path, "--config", str(config)) as served:
        body = world.request(span, service="till").SerializeToString()
        assert served.send(body) == 200
        served.settle()
        ((found,),) = served.query("SELECT SpanAttributes FROM otel.otel_traces WHERE ServiceName = 'till'")
        figures = get(served.url("metrics", "/metrics"))[1]
    assert found["n"] == "****"
    assert len(found["user.id"]) == 16
    assert 'whymesh_collector_redacted_values_total{rule="cards",signal="traces"} 1.0' in figures
    assert oct((tmp_path / "data" / "wal" / "rules.json").stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("redact: [{name: a, action: hash, keys: [k]}]", "hash needs hash_key_file"),
        ("redact: [{name: a, action: mask}]", 'rule "a": give keys, values or regex'),
        ("redact: [{name: a, action: mask, values: [iban]}]", "attributes.redact.0.values.0"),
        ("redact: [{name: a, action: mask, regex: ['(']}]", 'rule "a"'),
        ("limits: {count: 0}", "attributes.limits.count"),
    ],
)
def test_mistakes_are_told_before_anything_starts(tmp_path: Path, text: str, mistake: str) -> None:
    path = tmp_path / "collector.yaml"
    path.write_text(f"data: d\nattributes: {{{text}}}\n")
    with pytest.raises(ConfigRefused) as caught:
        load(path, {})
    assert mistake in str(caught.value)


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "collector.yaml"
    path.write_text(RULES.replace("KEY", str(tmp_path / "absent")) + "data: d\n")
    with pytest.raises(ConfigRefused, match=r"attributes\.hash_key_file: .*absent"):
        load(path, {}).attributes.text()


@pytest.mark.parametrize(("before", "after"), [("", MASK), (MASK, ""), (MASK, MASK)])
async def test_rows_of_a_crash_are_found_under_the_rules_they_were_made_by(
    tmp_path: Path, before: str, after: str
) -> None:
    """The insert was made, the process was killed before the note of it, and the next one has other rules."""
    body = world.request(world.span(attributes=[world.attribute("k", "secret")])).SerializeToString()
    request, token = Request(Signal.TRACES, body, Form(), 1), b"t" * 16
    store = EmbeddedStore.open(tmp_path / "data")
    try:
        with ThreadPoolExecutor(1) as threads:
            log = Log.open(tmp_path / "wal", tmp_path, Policy())
            await log.start()
            (first, *_) = Earlier(tmp_path / "wal").begin(before)
            number = await log.append(request, 1, Taken())
            (block,) = (await Encoder(threads, 1 << 20, first).encode(request)).blocks
            await log.inserting(token, partition_of(block), (number,))
            await store.insert(block.table, [block.data], token.hex())
            await log.close()

            log = Log.open(tmp_path / "wal", tmp_path, Policy())
            await log.start()
            earlier = Earlier(tmp_path / "wal")
            encoders = [Encoder(threads, 1 << 20, one) for one in earlier.begin(after)]
            await Resume(log, store, encoders, lambda: earlier.settled(after)).all()
            assert log.stored(number) == {partition_of(block)}
            await log.close()
        assert earlier.begin(after) == [after], "what is settled is not looked for again"
        assert await store.ask("SELECT count() AS rows FROM otel.otel_traces") == [{"rows": 1}]
    finally:
        await store.close()


def test_rules_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text("[")
    with pytest.raises(LogUnwritable, match=r"rules\.json"):
        Earlier(tmp_path).begin("")
