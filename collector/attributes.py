"""What of attributes, texts and log bodies is not to be stored, as operators write it.

In: the part `attributes` of the configuration. Out: the rules that the encoder applies to every value. Never: rules
that do not compile, or a digest that anyone can compute.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from collector._columnar import Rules
from collector.errors import ConfigRefused
from collector.part import Part


class Redaction(Part):
    """One rule; it takes whole values of `keys`, or what `values` and `regex` find, in those keys or in all."""

    name: str = Field(min_length=1, max_length=60, description="As it is counted.")
    action: Literal["drop", "mask", "hash"] = Field(description="Left out, ****, or a digest that tells equal ones.")
    keys: tuple[str, ...] = Field(default=(), description="Names of attributes; * stands for anything.")
    values: tuple[Literal["card", "email", "bearer"], ...] = Field(default=(), description="Secrets of known forms.")
    regex: tuple[str, ...] = Field(default=(), description="Secrets of other forms, in the syntax of Rust's regex.")


class Limits(Part):
    """How much of the attributes of a span, event, link, point or record is stored."""

    count: int | None = Field(default=None, ge=1, description="How many; those after it are left out.")
    value_bytes: int | None = Field(default=None, ge=8, description="Length of a text; longer ones are cut.")


class Attributes(Part):
    """Nothing is changed where nothing is set."""

    redact: tuple[Redaction, ...] = Field(default=(), description="Each rule works on what those before it left.")
    hash_key_file: Path | None = Field(default=None, description="Holds the key of `hash`.")
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _can_be_applied(self) -> Self:
        if self.hash_key_file is None and any(rule.action == "hash" for rule in self.redact):
            raise ValueError("hash needs hash_key_file: whoever knows the key of a digest can try values out")
        Rules(self._text(""))
        return self

    def text(self) -> str:
        """The rules as the encoder reads them; empty when there are none. Raises ConfigRefused."""
        if not self.redact and self.limits == Limits():
            return ""
        if self.hash_key_file is None:
            return self._text("")
        try:
            key = self.hash_key_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigRefused(f"attributes.hash_key_file: {self.hash_key_file}: {error}") from None
        if not key:
            raise ConfigRefused(f"attributes.hash_key_file: {self.hash_key_file} is empty")
        return self._text(key)

    def _text(self, key: str) -> str:
        redact = [rule.model_dump(mode="json") for rule in self.redact]
        return json.dumps({"redact": redact, "hash_key": key, **self.limits.model_dump()})
