"""Prints how the engine fares on generated systems, by kind of fault: `python -m tests.rootcause.proving`; with
`--series` on suites of node series, as they are published."""

from __future__ import annotations

import argparse
from collections import defaultdict

from tests.rootcause.proving.judged import Result, results
from tests.rootcause.proving.published import table
from tests.rootcause.proving.views import VIEWS


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--systems", type=int, default=40)
    parser.add_argument("--all", action="store_true", help="tell each trial that did not go well")
    parser.add_argument("--series", action="store_true", help="suites of node series, as they are published")
    asked = parser.parse_args()
    if asked.series:
        print(*table(asked.seed, asked.systems), sep="\n")
        return
    found = list(results(asked.seed, asked.systems))
    print("| kind | tried |", " | ".join(f"{view}: first, among three, others blamed" for view in VIEWS), "|")
    print("|---" * (2 + len(VIEWS)) + "|")
    by_kind: dict[str, list[Result]] = defaultdict(list)
    for result in found:
        by_kind[result.trial.kind].append(result)
    faults = [result for result in found if not result.trial.healthy]
    for kind, some in sorted(by_kind.items(), key=lambda item: (item[1][0].trial.healthy, item[0])):
        _row(kind, some)
    _row("**all faults**", faults)
    _row("**all healthy**", [result for result in found if result.trial.healthy])
    if asked.all:
        print(
            *(_told(result) for result in found if result.accused or not (result.trial.healthy or result.first)),
            sep="\n",
        )


def _told(result: Result) -> str:
    guilty, ranked, blamed = [sorted(group) for group in result.trial.culprits], result.ranked, result.blamed
    said = f"blamed {ranked[:blamed]}, then {ranked[blamed : blamed + 4]}, {result.verdict.state}"
    return f"{result.system} {result.view:5} {result.trial} | guilty {guilty} | {said}"


def _row(kind: str, some: list[Result]) -> None:
    cells = []
    for view in VIEWS:
        mine = [result for result in some if result.view == view]
        accused = sum(bool(result.accused) for result in mine)
        if mine and mine[0].trial.healthy:
            cells.append(f"-, -, {accused}")
        else:
            cells.append(f"{sum(r.first for r in mine)}, {sum(r.among_three for r in mine)}, {accused}")
    print("|", " | ".join((kind, str(len(some) // len(VIEWS)), *cells)), "|", flush=True)


if __name__ == "__main__":
    main()
