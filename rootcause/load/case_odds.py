"""Says what does not fit together in the description of a recorded incident, for whoever wonders about its verdict.

In: a case. Out: a sentence for each; none of them keeps the case from being judged by what is left. Never: what is in
the files, which is said where they are read.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootcause.load.recorded import EDGES, LOGS, METRICS, SPANS, Case
from rootcause.load.tables import seconds

_FILES = {"spans": SPANS, "edges": EDGES, "metrics": METRICS, "logs": LOGS}


def odds(case: Case) -> list[str]:
    """Worst first."""
    return [*_files(case), *_times(case)]


def _files(case: Case) -> Iterator[str]:
    for name in case.file.baseline_files:
        if not (case.folder.parent / name).is_file():
            yield f"baseline_files names {name}, which is not there"
    for kind, file in _FILES.items():
        there, usual = (case.folder / file).exists(), bool(case.baseline_files(file))
        if kind in case.file.inputs and not there:
            yield f"inputs names {kind}, but there is no {file}"
        elif there and not usual:
            yield f"baseline_files names nothing that {file} could be compared with"


def _times(case: Case) -> Iterator[str]:
    if not case.baseline:
        yield "baseline holds no time outside of the incident"
    if case.file.coverage and not case.covered:
        yield "coverage lies outside of fault_start to fault_end, and is not used"
    alerted = seconds(case.file.alert_time)
    if case.file.alert_time is not None and (alerted is None or not case.whole.start <= alerted <= case.whole.end):
        yield f"alert_time {case.file.alert_time} is not within fault_start to fault_end"
