"""Calls that the mesh refused by rule, where it let them pass in normal time: a policy, a token, a limit.

In: reasons that proxies gave, by edge. Out: by edge, how many more calls were refused, by exact tests. To a caller a
refusal is an answer (403, 429) and no failure of the callee; all the same somebody does not get what they got before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace

from rootcause.attribute.links import Ends
from rootcause.attribute.own_errors import ErrorShift, compare
from rootcause.load.window import Traffic, Window, calls, once

REFUSALS = frozenset(
    {"policy_denied", "not_allowed", "rate_limited", "token_missing", "token_malformed", "token_expired"}
    | {"token_too_early", "token_bad_signature", "token_unknown_key", "token_wrong_issuer", "token_wrong_audience"}
)
"""Reasons of answers below 500. Refusals above are failures of the link, counted there."""
_MOST_STRANGERS = 0.5
"""Of what comes from outside anybody may be refused at any time, for what they send; of half of it, it is the rule."""


def refusals(baseline: Window, observed: Window) -> dict[Ends, ErrorShift]:
    """By caller (empty for the outside) and callee."""
    before, now = _counts(baseline.traffic), _counts(observed.traffic)
    found = {}
    for ends, (refused, of) in now.items():
        refused_before, of_before = before.get(ends, (Counter[str](), 0))
        shift = compare(refused.total(), of, refused_before.total(), of_before)
        if shift is None or (not ends[0] and shift.added_rate < _MOST_STRANGERS):
            continue
        found[ends] = replace(shift, reason=(refused - refused_before).most_common(1)[0][0])
    return found


@once
def _counts(traffic: Traffic) -> Mapping[Ends, tuple[Counter[str], int]]:
    """Refused calls by reason, and all calls; of the two ends' views the one that knows more of them."""
    views: dict[tuple[bool, Ends], tuple[Counter[str], int]] = defaultdict(lambda: (Counter(), 0))
    for row in traffic.called:
        refused, of = views[row.by_source, (row.source, row.destination)]
        refused.update(_of_rules(row.reasons))
        views[row.by_source, (row.source, row.destination)] = refused, of + calls(row.buckets)
    found: dict[Ends, tuple[Counter[str], int]] = {}
    for (_, ends), view in views.items():
        if ends not in found or view[1] > found[ends][1]:
            found[ends] = view
    return found


def _of_rules(reasons: Mapping[str, int]) -> dict[str, int]:
    return {reason: many for reason, many in reasons.items() if reason in REFUSALS}
