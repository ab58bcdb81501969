"""What was changed in the mesh, as the store knows it."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

LOOK_BACK_S = 600.0
"""A change longer before the onset than this is not mentioned."""


class Change(BaseModel):
    """What was changed shortly before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: datetime
    kind: str
    service: str
    summary: str
