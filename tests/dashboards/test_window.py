"""Spans of time that pages look at."""

from datetime import UTC, datetime, timedelta

from dashboards.window import BUCKET_SECONDS, POINTS, Window

NOW = datetime(2026, 11, 20, 12, 0, 7, 123_456, tzinfo=UTC)


def test_a_window_covers_the_bucket_that_now_is_in() -> None:
    window = Window.last(5, NOW)
    assert window.start <= NOW - timedelta(minutes=5) + timedelta(seconds=BUCKET_SECONDS)
    assert window.complete <= NOW < window.end
    assert window.seconds == 300


def test_two_looks_within_a_bucket_ask_the_same_question() -> None:
    assert Window.last(15, NOW) == Window.last(15, NOW + timedelta(seconds=2))


def test_a_step_is_whole_buckets_and_never_too_many_points() -> None:
    for minutes in (1, 5, 15, 60, 1440):
        window = Window.last(minutes, NOW)
        assert window.step % BUCKET_SECONDS == 0
        assert window.seconds / window.step <= POINTS * 1.5


def test_around_keeps_a_margin_on_both_sides() -> None:
    window = Window.around(NOW, NOW + timedelta(minutes=2), timedelta(minutes=3))
    assert window.start <= NOW - timedelta(minutes=3)
    assert window.end >= NOW + timedelta(minutes=5)
