"""Ten faults of different kinds on the demo's real processes, one demo after the other.

In: numbers of runs, all without. Out: a table; exit code 0 when every culprit came first, within half a minute, and no
request was lost. `python -m tests.e2e.matrix` takes some twelve minutes on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

from tests.world.processes import WHYMESH

LONGEST_S = 300
IN_TIME_S = 30.0


@dataclass(frozen=True)
class Experiment:
    """Faults to inject, and what findings are to name beside the services, by service."""

    faults: tuple[str, ...]
    parts: tuple[str, ...]

    def told(self, verdict: dict[str, Any]) -> tuple[str, ...]:
        """What the findings name, sorted."""
        found = [verdict["finding"], *verdict["also"]] if verdict["finding"] else []
        return tuple(sorted(_part(finding["culprit"]) for finding in found))


EXPERIMENTS = (
    Experiment(("payments:latency",), ("payments",)),
    Experiment(("inventory:errors:20%",), ("inventory",)),
    Experiment(("cart:cpu",), ("cart",)),
    Experiment(("cart:link:100ms",), ("* -> cart",)),
    Experiment(("recommendations:version:300ms",), ("recommendations v3",)),
    Experiment(("shipping:crash",), ("shipping",)),
    Experiment(("payments:crash",), ("payments",)),
    Experiment(("checkout:latency:80ms",), ("checkout",)),
    Experiment(("cart:latency", "payments:errors"), ("cart", "payments")),
    Experiment(("payments:link", "recommendations:version:50%"), ("checkout -> payments", "recommendations v3")),
)


def run(experiment: Experiment, port_offset: int) -> dict[str, Any]:
    """The verdict of one demo that was broken so, from start to end."""
    faults = [word for fault in experiment.faults for word in ("--fault", fault)]
    with tempfile.TemporaryDirectory() as state:
        words = ("demo", *faults, "--exit", "--json", "--port-offset", str(port_offset), "--state", state)
        ran = subprocess.run([WHYMESH, *words], capture_output=True, text=True, check=False, timeout=LONGEST_S)
    if not ran.stdout:
        sys.exit(f"{' '.join(words)}: {ran.stderr}")
    verdict: dict[str, Any] = json.loads(ran.stdout)
    return {**verdict, "right": ran.returncode == 0}


def _part(culprit: dict[str, str]) -> str:
    return culprit["link"] or " ".join(filter(None, (culprit["service"], culprit["version"])))


def _row(experiment: Experiment, verdict: dict[str, Any]) -> str:
    told = experiment.told(verdict)
    cells = (
        " + ".join(experiment.faults),
        "right" if verdict["right"] else "WRONG",
        ", ".join(told) + ("" if told == experiment.parts else f" (not {', '.join(experiment.parts)})"),
        verdict["detected_after_s"],
        verdict["all_detected_after_s"],
        verdict["requests"],
        verdict["request_errors"],
        verdict["requests_lost"],
        verdict["spans_lost"],
    )
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Prints a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", type=int, help="numbers of runs, from 1 [default: all]")
    parser.add_argument("--port-offset", type=int, default=2000)
    asked = parser.parse_args()
    print("| faults | culprits first | named | first after s | all after s | requests | failed | lost | spans lost |")
    print("|---|---|---|---|---|---|---|---|---|")
    late = 0
    for number in asked.runs or range(1, len(EXPERIMENTS) + 1):
        experiment = EXPERIMENTS[number - 1]
        verdict = run(experiment, asked.port_offset)
        print(_row(experiment, verdict), flush=True)
        late += not verdict["right"] or verdict["detected_after_s"] > IN_TIME_S
    sys.exit(1 if late else 0)


if __name__ == "__main__":
    main()
