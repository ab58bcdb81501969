"""What the sidecar tells Prometheus, read by a parser of another make."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from proxy.exposition import Page

_TEXT = st.text(
    st.characters(exclude_categories=["Cs"]).filter(lambda c: c not in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
)


@given(peer=_TEXT, value=st.floats(allow_nan=False))
def test_any_label_and_number_survives(peer: str, value: float) -> None:
    page = Page()
    page.gauges("open", "Open connections.", "peer", {peer: value})
    (family,) = text_string_to_metric_families(page.text())
    assert [(s.name, s.labels, s.value) for s in family.samples] == [("open", {"peer": peer}, value)]


def test_families_have_their_types_and_help() -> None:
    page = Page()
    page.gauge("epoch", "In force;\nback\\slash.", 7)
    page.counter("spans", "Spans.", 3)
    page.counters("dropped", "Dropped.", "cause", {"full": 1, "away": 2})
    families = {family.name: family for family in text_string_to_metric_families(page.text())}
    assert {name: family.type for name, family in families.items()} == {
        "epoch": "gauge",
        "spans": "counter",
        "dropped": "counter",
    }
    assert families["epoch"].documentation == "In force;\nback\\slash."
    assert [(s.name, s.value) for s in families["spans"].samples] == [("spans_total", 3)]
    assert [s.value for s in families["dropped"].samples] == [1, 2]


def test_a_histogram_counts_upwards_to_its_total() -> None:
    page = Page()
    page.histogram("took_seconds", "Every request.", [0.001, 0.1], [({"peer": "a"}, [2, 0, 5], 12.5)])
    (family,) = text_string_to_metric_families(page.text())
    assert family.type == "histogram"
    assert [(s.name, s.labels.get("le"), s.value) for s in family.samples] == [
        ("took_seconds_bucket", "0.001", 2),
        ("took_seconds_bucket", "0.1", 2),
        ("took_seconds_bucket", "+Inf", 7),
        ("took_seconds_count", None, 7),
        ("took_seconds_sum", None, 12.5),
    ]
