"""Says which of a culprit's requests go wrong, as every reader of a finding is told. In: the culprit's JSON. Out: a few
words that go after its name, none where all of them do."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS = {"node": "on node {}", "zone": "in zone {}", "caller": "for {}", "attribute": "for requests with {}"}


def apart(culprit: Mapping[str, str]) -> str:
    """`on node n2`, `in zone b`, `for checkout`, `for requests with tenant = acme`."""
    return next((words.format(culprit[part]) for part, words in _WORDS.items() if culprit.get(part)), "")
