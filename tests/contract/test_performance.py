"""The figures of the documents are those of the run that is kept beside them."""

from __future__ import annotations

from tests.bench.document import DOCUMENT, KEPT, README, document, joined, numbers, readme
from tests.bench.results import Run
from tests.bench.sections import NAMES

RUN = Run.model_validate_json(KEPT.read_text())


def test_the_document_shows_the_run() -> None:
    assert DOCUMENT.read_text() == document(RUN)


def test_the_readme_shows_the_run() -> None:
    text = README.read_text()
    assert numbers(RUN) in text
    assert readme(text, RUN) == text


def test_sections_that_were_not_run_are_named() -> None:
    shown = [section.section for section in RUN.sections]
    assert shown == [name for name in NAMES if name in shown], "all known, in their order"
    left_out = [name for name in NAMES if name not in shown]
    assert (f"Not in this run: {', '.join(left_out)}." in DOCUMENT.read_text()) == bool(left_out)


def test_sections_that_ran_again_take_the_place_of_the_first() -> None:
    again = RUN.model_copy(update={"command": "again", "sections": RUN.sections[-1:]})
    both = joined([RUN.model_copy(update={"sections": RUN.sections[:-1]}), again])
    assert (both.sections, both.command.endswith(" again `again")) == (RUN.sections, True)


def test_figures_of_two_versions_are_said_to_be() -> None:
    versions = {**RUN.machine.versions, "Envoy": "9.9"}
    later = RUN.model_copy(update={"machine": RUN.machine.model_copy(update={"versions": versions})})
    before = RUN.machine.versions["Envoy"]
    assert joined([RUN, later]).machine.versions == {**RUN.machine.versions, "Envoy": f"{before} and 9.9"}
    assert joined([RUN, RUN]).machine == RUN.machine
