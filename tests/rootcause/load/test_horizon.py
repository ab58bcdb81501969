"""Which time is in question and which is normal: on buckets, apart, without past incidents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rootcause.load.horizon import around, horizon
from rootcause.load.window import STEP_S, Interval

times = st.floats(1.6e9, 2.0e9)


@given(times)
def test_boundaries_lie_on_buckets_and_normal_ends_first(now: float) -> None:
    looked_at = horizon(now)
    (normal,) = looked_at.normal
    for boundary in (normal.start, normal.end, looked_at.question.start, looked_at.question.end):
        assert boundary % STEP_S == 0
    assert normal.end + STEP_S == looked_at.question.start
    assert looked_at.question.start < now - 10 < looked_at.question.end


def test_the_current_bucket_is_in_question_as_soon_as_its_spans_can_have_arrived() -> None:
    assert horizon(1_700_000_001.0).question.end == 1_700_000_000.0
    assert horizon(1_700_000_002.0).question.end == 1_700_000_010.0


@given(times, st.lists(st.tuples(st.floats(-900, 100), st.floats(0, 300)), max_size=4))
def test_past_incidents_are_never_normal(now: float, incidents: list[tuple[float, float]]) -> None:
    gaps = [around(now + offset, now + offset + length) for offset, length in incidents]
    whole = horizon(now).normal[0]
    normal = horizon(now, gaps).normal
    for moment in range(int(whole.start), int(whole.end), 10):
        expected = not any(moment in gap for gap in gaps)
        assert any(moment in piece for piece in normal) == expected


def test_an_incident_s_run_up_and_recovery_belong_to_it() -> None:
    assert around(105.0, 118.0) == Interval(70.0, 130.0)
