"""What is known of suspects before any evidence: who was changed just before is likelier to have done it.

In: suspects by what speaks against them, and who was changed. Out: the same suspects, in the order of both. A change
alone makes nobody a suspect, and one that explains much more is not passed over for it.
"""

from collections.abc import Iterable, Set

from rootcause.judge.suspect import Suspect

CHANGED = 1.5
"""How much more the evidence against whoever was changed counts: about seven in ten outages come from a change, but
what was changed is rarely all that speaks. Source: Beyer et al., "Site Reliability Engineering", 2016, chapter 1."""


def weighed(suspects: Iterable[Suspect], changed: Set[str]) -> list[Suspect]:
    """The suspects, likeliest first."""
    return sorted(suspects, key=lambda one: (-one.score * (CHANGED if one.service in changed else 1.0), one.service))
