"""Records come back from their bytes as they were; bytes that are none are said to be damaged."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.receive.request import Form, Request, Taken
from collector.receive.signals import Signal
from collector.wal.record import (
    Damaged,
    Decided,
    Head,
    Insert,
    Logged,
    Outcome,
    Partition,
    Record,
    Settled,
    decode,
    encode,
)

_counts = st.integers(0, 2**64 - 1)
_ids = st.binary(min_size=16, max_size=16).filter(any)
_taken = st.builds(Taken, _counts, st.text(max_size=20))
_forms = st.builds(
    Form, st.booleans(), st.sampled_from(["identity", "gzip", "zstd"]), st.booleans(), _ids | st.just(b"")
)
_requests = st.builds(Request, st.sampled_from(Signal), st.binary(max_size=50), _forms, _counts)
_partitions = st.builds(Partition, st.sampled_from(["otel_traces", "otel_logs"]), st.integers(0, 49_710))
records: st.SearchStrategy[Record] = st.one_of(
    st.builds(Logged, _counts, _requests, st.integers(1, 320), _taken),
    st.builds(Insert, _ids, _partitions, st.lists(_counts, max_size=5).map(tuple)),
    st.builds(Settled, _ids, st.sampled_from(Outcome)),
    st.builds(Decided, _counts, st.binary(max_size=20)),
    st.builds(Head, _counts, _ids, st.lists(st.tuples(_ids, _taken), max_size=4).map(tuple)),
)


@given(records)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert decode(b"".join(encode(record))) == record


@given(st.binary(max_size=80))
def test_any_bytes_are_a_record_or_damaged(data: bytes) -> None:
    with contextlib.suppress(Damaged):
        decode(data)


@pytest.mark.parametrize("data", [b"", b"\x09", b"\x01short", b"\x03" + b"t" * 16 + b"\x77"])
def test_damage_is_told(data: bytes) -> None:
    with pytest.raises(Damaged):
        decode(data)
