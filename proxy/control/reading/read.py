"""Reads mesh configuration from YAML: a file or a folder of files, many documents each.

In: a path. Out: every document, all of them valid. Never: a part of them; one mistake refuses the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from proxy.control.configuration import Configuration, assembled
from proxy.control.documents import Service
from proxy.control.epochs.written import Written
from proxy.control.errors import ConfigRefused
from proxy.control.reading import plain_yaml
from proxy.control.reading.parse import parse


def load(path: Path) -> Configuration:
    """Reads every document under `path`; raises ConfigRefused naming file, document, field and what is wrong."""
    return assembled(read(path), str(path))


def read(path: Path) -> tuple[Written, ...]:
    """The same as its authors wrote it; raises ConfigRefused, also when there is no Service among it."""
    mistakes: list[str] = []
    parsed = [parse(where, document, mistakes) for where, document in _documents(path, mistakes)]
    written = tuple(one for one in parsed if one is not None)
    if not mistakes and not any(isinstance(one.document, Service) for one in written):
        mistakes.append(f"{path}: no Service in it: a mesh needs at least one")
    if mistakes:
        raise ConfigRefused(mistakes)
    return written


def files_of(path: Path) -> list[Path]:
    """The YAML files that make up a configuration, in order of name."""
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.suffix in {".yaml", ".yml"} and p.is_file())
    return [path]


def _documents(path: Path, mistakes: list[str]) -> Iterator[tuple[str, Any]]:
    files = files_of(path)
    if not files:
        mistakes.append(f"{path}: no .yaml file in this folder")
    for file in files:
        try:
            documents = plain_yaml.documents(file.read_text(encoding="utf-8"))
        except OSError as error:
            mistakes.append(f"{file}: cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            mistakes.append(f"{file}: is not UTF-8 text")
        except yaml.YAMLError as error:
            mistakes.append(f"{file}: is not YAML: {_yaml_place(error)}")
        else:
            for number, document in enumerate(documents, start=1):
                if document is not None:
                    yield f"{file}: document {number}", document


def _yaml_place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem
