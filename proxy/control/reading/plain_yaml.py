"""YAML as people mean it: `on`, `off`, `yes` and `no` are words, as in YAML 1.2 (10.3.2), and no booleans as in 1.1."""

from __future__ import annotations

import re
from typing import Any

import yaml

_BOOLEAN = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """Safe: makes plain values only."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def documents(text: str) -> list[Any]:
    """Every document in a text, in order; raises yaml.YAMLError."""
    return list(yaml.load_all(text, Loader=_Loader))
