"""What parts of a snapshot are made of: a strict frozen model, and the forms of names and addresses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

HostPort = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62})?$")]
Protocol = Literal["http1", "http2"]


class Part(BaseModel):
    """Frozen, and nothing unknown accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)
