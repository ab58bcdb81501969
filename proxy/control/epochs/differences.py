"""What is different between two JSON values, field by field.

In: two values. Out: paths such as `spec.rules[0].backendRefs[1].weight`, each with what stood and what stands there.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One field; None stands for nothing there."""

    path: str
    before: Any
    after: Any


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Every field that is not the same, in the order of the newer value."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in (*after, *(gone for gone in before if gone not in after)):
            yield from differences(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            yield from differences(_at(before, place), _at(after, place), f"{path}[{place}]")
    elif before != after:
        yield Difference(path, before, after)


def _at(values: list[Any], place: int) -> Any:
    return values[place] if place < len(values) else None
