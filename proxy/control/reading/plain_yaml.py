"""YAML as people mean it: `on`, `off`, `yes` and `no` are words, as in YAML 1.2 (10.3.2), and no booleans as in 1.1."""

from __future__ import annotations

import re
from typing import Any

import yaml

try:  # libyaml, five times faster; it comes with all common wheels
    from yaml import CSafeLoader as FastLoader
except ImportError:
    from yaml import SafeLoader as FastLoader  # type: ignore[assignment]

_BOOLEAN = "tag:yaml.org,2002:bool"
_RESOLVERS = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for first in "tTfF":
    _RESOLVERS.setdefault(first, []).append((_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")))


class _Fast(FastLoader):
    """Safe: makes plain values only."""

    yaml_implicit_resolvers = _RESOLVERS


class _Exact(yaml.SafeLoader):
    """The same, and says better where a mistake is."""

    yaml_implicit_resolvers = _RESOLVERS


def documents(text: str) -> list[Any]:
    """Every document in a text, in order; raises yaml.YAMLError."""
    try:
        return list(yaml.load_all(text, Loader=_Fast))
    except yaml.YAMLError:
        return list(yaml.load_all(text, Loader=_Exact))
