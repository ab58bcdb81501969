"""What a proxy says of where it runs, in the resource of all that it records.

In: OTEL_RESOURCE_ATTRIBUTES, as the OpenTelemetry SDK specification has it, the machine's name, who a workload is. Out:
attributes. Pure. Never: an attribute that says otherwise than the mesh knows, or more of them than a batch can bear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

VARIABLE: Final = "OTEL_RESOURCE_ATTRIBUTES"
MOST: Final = 32
LONGEST: Final = 256
"""Bytes of a name and its value: a store repeats them on each of their rows."""
_HOST, _KUBERNETES_NODE = "host.name", "k8s.node.name"
_HALF_ENCODED = re.compile("%(?![0-9A-Fa-f]{2})")
_NODE: Final = {
    "service.name": "service",
    "service.namespace": "namespace",
    "service.version": "version",
    "service.instance.id": "instance",
    "cloud.availability_zone": "zone",
}
"""Attributes by the field of a snapshot's node that the mesh knows them from."""


def surroundings(variable: str, machine: str) -> tuple[dict[str, str], list[str]]:
    """Attributes by the variable's text, and a sentence for each entry that is left out.

    `host.name` is the machine's unless the variable names it or a node of Kubernetes, where a Pod takes its own name
    for that of the machine. An empty value leaves an attribute out.
    """
    told: dict[str, str] = {}
    problems: list[str] = []
    for entry in filter(None, (entry.strip() for entry in variable.split(","))):
        try:
            name, value = _read(entry)
            if name not in told and len(told) == MOST:
                raise ValueError(f"more than {MOST} attributes")
            told[name] = value
        except ValueError as error:
            problems.append(f"{VARIABLE}: {entry[:60]!r} is left out: {error}")
    if not told.get(_KUBERNETES_NODE):
        told = {_HOST: machine} | told
    return {name: value for name, value in told.items() if value}, problems


def of_workload(told: Mapping[str, str], node: Mapping[str, str | None]) -> dict[str, str]:
    """The whole resource of one workload; `node` is that of its snapshot."""
    known = {name: value for name, field in _NODE.items() if (value := node.get(field))}
    return {**known, **told, **known}


def _read(entry: str) -> tuple[str, str]:
    """Name and value; raises ValueError saying what is wrong."""
    name, equals, value = entry.partition("=")
    if not equals:
        raise ValueError("expected name=value")
    name, value = _decoded(name.strip()), _decoded(value.strip())
    if not name:
        raise ValueError("it has no name")
    if len(name.encode()) + len(value.encode()) > LONGEST:
        raise ValueError(f"name and value are longer than {LONGEST} bytes")
    return name, value


def _decoded(text: str) -> str:
    if _HALF_ENCODED.search(text):
        raise ValueError("after a % there are two hexadecimal digits; a % itself is %25")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise ValueError("it is not UTF-8") from None
