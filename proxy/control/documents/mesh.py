"""The kind `Mesh`."""

from __future__ import annotations

from typing import Literal

from pydantic import AnyHttpUrl

from proxy.control.documents.base import OwnDocument, Spec
from proxy.control.documents.limits import LimitsSpec
from proxy.control.documents.telemetry import TelemetrySpec


class AlertsSpec(Spec):
    """Who hears of an incident."""

    webhooks: tuple[AnyHttpUrl, ...] = ()


class MeshSpec(Spec):
    telemetry: TelemetrySpec = TelemetrySpec()
    alerts: AlertsSpec = AlertsSpec()
    limits: LimitsSpec = LimitsSpec()


class Mesh(OwnDocument):
    """What holds for the whole mesh; at most one, all defaults without it."""

    kind: Literal["Mesh"]
    spec: MeshSpec = MeshSpec()
