"""Reads mesh configuration from YAML: a file or a folder of files, many documents each.

In: a path. Out: `Configuration`, all of it valid. Never: a part of it; one mistake refuses the whole.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from proxy.control import plain_yaml
from proxy.control.documents import API_VERSION, KINDS, Document, Mesh, Service
from proxy.control.errors import ConfigRefused


@dataclass(frozen=True)
class Configuration:
    """The `Mesh` and all other documents, checked one by one; what they mean together is the registry's matter."""

    mesh: Mesh
    documents: tuple[Document, ...]


def load(path: Path) -> Configuration:
    """Reads every document under `path`; raises ConfigRefused naming file, document, field and what is wrong."""
    mistakes: list[str] = []
    documents: list[Document] = []
    for where, document in _documents(path, mistakes):
        if parsed := _parse(where, document, mistakes):
            documents.append(parsed)
    meshes = [document for document in documents if isinstance(document, Mesh)]
    if len(meshes) > 1:
        mistakes.append(f"{path}: {len(meshes)} documents of kind Mesh: there can be one")
    if not mistakes and not any(isinstance(document, Service) for document in documents):
        mistakes.append(f"{path}: no Service in it: a mesh needs at least one")
    if mistakes:
        raise ConfigRefused(mistakes)
    default = Mesh.model_validate({"apiVersion": API_VERSION, "kind": "Mesh", "metadata": {"name": "mesh"}})
    others = tuple(document for document in documents if not isinstance(document, Mesh))
    return Configuration(mesh=meshes[0] if meshes else default, documents=others)


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


def _parse(where: str, document: Any, mistakes: list[str]) -> Document | None:
    if not isinstance(document, dict):
        mistakes.append(f"{where}: expected a mapping with apiVersion, kind, metadata and spec")
        return None
    kind = document.get("kind")
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        mistakes.append(f"{where}: kind: {kind!r} is not a kind of this mesh; known: {', '.join(KINDS)}")
        return None
    metadata = document.get("metadata")
    name = metadata.get("name", "?") if isinstance(metadata, dict) else "?"
    try:
        return model.model_validate(document)
    except ValidationError as error:
        mistakes.extend(f"{where} ({kind} {name}): {_mistake(e, document)}" for e in error.errors())
        return None


def _mistake(error: Any, document: dict[str, Any]) -> str:
    """One validation error as `spec.endpoints[0].app: what is wrong`, with a hint for a misspelt key."""
    path = ""
    for step in error["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        near = difflib.get_close_matches(key, _known_keys(document["kind"]), n=1)
        return f"{path}: unknown key" + (f"; did you mean {near[0]}?" if near else "")
    message = error["msg"].removeprefix("Value error, ")
    return f"{path}: {_begun_small(message)}" + (
        f" (got {error['input']!r})" if isinstance(error["input"], str | int | float) else ""
    )


def _begun_small(message: str) -> str:
    """The message as it goes on after a colon; an abbreviation keeps its capitals."""
    return message if message[1:2].isupper() else message[0].lower() + message[1:]


def _known_keys(kind: str) -> list[str]:
    """Every key that documents of a kind know, for hints."""
    keys: set[str] = set()
    schema = KINDS[kind].model_json_schema(by_alias=True)
    for part in [schema, *schema.get("$defs", {}).values()]:
        keys.update(part.get("properties", {}))
    return sorted(keys)
