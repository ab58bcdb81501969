"""What every part of a configuration has in common: it is closed to unknown settings, and does not change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A mapping of the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
