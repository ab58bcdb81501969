"""`accessLog` of `Mesh.spec.telemetry` and of the kind `Telemetry`: a line for each request, or for some."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from proxy.control.documents.base import Spec
from proxy.control.documents.spelling import Milliseconds
from proxy.snapshot.access_log import AbsolutePath


class AccessLogSpec(Spec):
    """Where lines go, and which requests have one."""

    to: tuple[Literal["stdout", "file", "otlp"], ...] = ()
    file: AbsolutePath | None = None
    only: tuple[Literal["errors", "slow"], ...] = ()
    slow: Milliseconds = 1_000

    @model_validator(mode="after")
    def _has_a_file(self) -> AccessLogSpec:
        if ("file" in self.to) != (self.file is not None):
            raise ValueError("file is the absolute path that belongs to `to: [file]`, and has to be given with it")
        return self
