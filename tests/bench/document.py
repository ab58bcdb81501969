"""`python -m tests.bench.document [RUN...]`: makes docs/performance.md and the numbers of the README from a run.

In: the JSON of a run, and of others that ran some of its sections again; without any the one that is kept. Out:
docs/performance.json, docs/performance.md, and what stands between the marks in README.md. Never: a figure that no run
has shown; tests/contract/test_performance.py holds them together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from tests.bench.results import Findings, Run, Table, verdicts
from tests.bench.sections import NAMES

_ROOT = Path(__file__).parents[2]
KEPT = _ROOT / "docs/performance.json"
DOCUMENT = _ROOT / "docs/performance.md"
README = _ROOT / "README.md"
_MARKS = ("<!-- numbers -->\n", "<!-- end of numbers -->\n")
_SHORT = ("http1", "CPU µs/req", "req/s", "p99 ms", "RSS MB", "spans/req")
"""What the README shows: a section, and the columns it is about."""

_INTRODUCTION = """\
# Performance

Made by `python -m tests.bench.document` from a run of `{command}`; not edited by hand.

Every proxy runs on one core, one worker each; load generator, backend and span sink share another. In each round each
proxy is under the same load for a short while, one after the other; a ratio is the median over rounds of its figure
over ours, so that what else the machine did falls on both sides alike. Absolute figures depend on the machine and on
what else ran there; ratios are what to look at. Ours is the whole sidecar process, Python included, with each request
exported as an OTLP span while it is measured; CPU is user and system time of the process.

{machine}
{missing}
## Targets

{verdicts}
"""


def document(run: Run) -> str:
    """docs/performance.md."""
    head = _INTRODUCTION.format(
        command=run.command, machine=_machine(run), missing=_missing(run), verdicts=verdicts(run.targets)
    )
    return head + "".join(f"\n## {table.title}\n\n{table.markdown()}\n" for table in _tables(run.sections))


def numbers(run: Run) -> str:
    """What the README says of speed."""
    key, *heads = _SHORT
    table = next(section for section in run.sections if section.section == key).tables[0]
    met = sum(target.met for target in run.targets)
    return (
        f"On {_machine(run).splitlines()[0]} {table.title}:\n\n{_narrowed(table, heads).markdown()}\n\n"
        f"{met} of {len(run.targets)} targets met; all of them, and what was measured beside, are in "
        "[docs/performance.md](docs/performance.md).\n"
    )


def readme(text: str, run: Run) -> str:
    """The README with the numbers of a run between its marks."""
    before, after = _MARKS
    return re.sub(f"{before}.*?{after}", lambda _: before + numbers(run) + after, text, count=1, flags=re.DOTALL)


def joined(runs: Sequence[Run]) -> Run:
    """One run of several on one machine: of a section that ran twice the later one counts. Raises ValueError."""
    first, *again = runs
    places = {(run.machine.cores, run.machine.processor) for run in runs}
    if len(places) > 1:
        raise ValueError(f"figures of several machines cannot stand side by side: {places}")
    found = {section.section: section for run in runs for section in run.sections}
    command = "`, and of some sections again `".join(run.command for run in (first, *again))
    sections = tuple(found[name] for name in NAMES if name in found)
    machine = first.machine.model_copy(update={"versions": _versions(runs)})
    return Run(command=command, machine=machine, sections=sections)


def _versions(runs: Sequence[Run]) -> dict[str, str]:
    """Of each program every version that figures are of, in the order of the runs."""
    names = dict.fromkeys(name for run in runs for name in run.machine.versions)
    told = {name: [run.machine.versions[name] for run in runs if name in run.machine.versions] for name in names}
    return {name: " and ".join(dict.fromkeys(versions)) for name, versions in told.items()}


def _missing(run: Run) -> str:
    """Sections that the run left out, by their names."""
    left_out = [name for name in NAMES if name not in {section.section for section in run.sections}]
    return f"\nNot in this run: {', '.join(left_out)}.\n" if left_out else ""


def _machine(run: Run) -> str:
    where = run.machine
    versions = ", ".join(f"{name} {version}" for name, version in where.versions.items())
    return f"{where.cores} cores, {where.processor}.\n{where.kernel}; {versions}."


def _tables(sections: tuple[Findings, ...]) -> list[Table]:
    return [table for section in sections for table in section.tables]


def _narrowed(table: Table, heads: list[str]) -> Table:
    """The first column, those with these heads, and the ratio that stands beside one."""
    keep = [0]
    for place, column in enumerate(table.columns):
        about = table.columns[place - 1] if column.head == "ratio" else column
        if about.head in heads:
            keep.append(place)
    rows = tuple(tuple(row[place] for place in keep) for row in table.rows)
    return Table(title=table.title, columns=tuple(table.columns[place] for place in keep), rows=rows)


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(runs: tuple[Path, ...]) -> None:
    """Make docs/performance.md and the README's numbers from the JSON of a run, and keep that JSON beside them."""
    shown = joined([Run.model_validate_json(run.read_text()) for run in runs or (KEPT,)])
    KEPT.write_text(shown.model_dump_json(indent=1) + "\n")
    DOCUMENT.write_text(document(shown))
    README.write_text(readme(README.read_text(), shown))


if __name__ == "__main__":
    main()
