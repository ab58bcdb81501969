"""Prints how the engine fares on generated recordings without spans: `python -m tests.rootcause.proving.measured`."""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.rootcause.proving.measured.judged import Result, result
from tests.rootcause.proving.measured.suites import MAKES, troubles


def main() -> None:
    """Prints the table: first, among three, tried; of quiet times in how many somebody is blamed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--systems", type=int, default=3)
    parser.add_argument("--all", action="store_true", help="tell each case that did not go well")
    asked = parser.parse_args()
    found: list[Result] = []
    with TemporaryDirectory() as folder:
        for seed in range(1000 * asked.seed, 1000 * asked.seed + asked.systems):
            for at, (made, wrong) in enumerate(troubles(seed)):
                for name in MAKES:
                    found.append(result(Path(folder) / name, name, made, wrong, f"{name}-{seed}-{at}"))
                    if asked.all and not found[-1].good:
                        print(found[-1], flush=True)
    kinds: dict[str, list[Result]] = defaultdict(list)
    for one in found:
        kinds[one.wrong.kind].append(one)
    print("| kind |", " | ".join(MAKES), "|")
    print("|---" * (1 + len(MAKES)) + "|")
    for kind, some in kinds.items():
        _row(kind, some)
    _row("**all faults**", [one for one in found if not one.wrong.quiet])
    _row("**all quiet times**", [one for one in found if one.wrong.quiet])


def _row(kind: str, some: list[Result]) -> None:
    cells = []
    for name in MAKES:
        mine = [one for one in some if one.make == name]
        if mine[0].wrong.quiet:
            cells.append(f"{sum(bool(one.ranked) for one in mine)} of {len(mine)} blamed")
        else:
            cells.append(f"{sum(one.first for one in mine)}, {sum(one.among_three for one in mine)} of {len(mine)}")
    print("|", " | ".join((kind, *cells)), "|", flush=True)


if __name__ == "__main__":
    main()
