"""The figures of the documents are those of the run that is kept beside them."""

from __future__ import annotations

from tests.bench.document import DOCUMENT, KEPT, README, document, numbers, readme
from tests.bench.results import Run

RUN = Run.model_validate_json(KEPT.read_text())


def test_the_document_shows_the_run() -> None:
    assert DOCUMENT.read_text() == document(RUN)


def test_the_readme_shows_the_run() -> None:
    text = README.read_text()
    assert numbers(RUN) in text
    assert readme(text, RUN) == text


def test_every_section_was_run() -> None:
    from tests.bench.__main__ import NAMES

    assert [section.section for section in RUN.sections] == list(NAMES)
