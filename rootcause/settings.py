"""The settings of the live engine: rootcause.yaml, overridden by the command line, checked whole before anything
starts."""

from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from rootcause.promises.alarms import Severity
from rootcause.promises.objective import SENSIBLE, Objective
from rootcause.promises.rule import Rule
from rootcause.promises.symptoms import UNEXPLAINED, SymptomRule


class SettingsRefused(ValueError):
    """A setting is wrong; the message names the file and the path in it."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Webhook(_Settings):
    """One who is told: an address alone of everything, others only of some `services`, or from a `severity` on.

    `per_minute` bounds the messages; they wait `gather_s` for others to go out with. `template` is a file that says
    them in words of one's own.
    """

    url: str
    services: tuple[str, ...] = ()
    severity: Severity = "warning"
    per_minute: Annotated[float, Field(ge=1, le=600)] = 60.0
    gather_s: Annotated[float, Field(ge=0, le=300)] = 0.0
    template: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _address_alone(cls, told: Any) -> Any:
        return {"url": told} if isinstance(told, str) else told


class Webhooks(_Settings):
    """Who is told. `allow_link_local`: also addresses from which clouds hand out credentials. `ui` is where people find
    the web UI, for links to it."""

    urls: tuple[Webhook, ...] = ()
    allow_link_local: bool = False
    ui: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    secret_file: Path | None = None
    pagerduty_key_file: Path | None = None

    @model_validator(mode="after")
    def _addresses_differ(self) -> Self:
        urls = [one.url for one in self.urls]
        twice = next((url for url in urls if urls.count(url) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} is there twice; each address is told once")
        return self


class Recording(_Settings):
    """When an incident opens, the control plane there is asked to have the suspects record everything `for_s` seconds;
    at https it is known by the roots in `root_file`, and from another machine it wants a token."""

    control: str = "http://127.0.0.1:7460"
    for_s: Annotated[float, Field(gt=0, le=3_600)] = 300.0
    root_file: Path | None = None
    token_file: Path | None = None


class Settings(_Settings):
    """Everything the live engine can be told; `every_s` seconds pass between evaluations. Without `objectives` or
    `symptoms` sensible ones hold; an empty list ends them."""

    store: str = "clickhouse://rootcause@127.0.0.1:9000/otel"
    listen: str = "127.0.0.1:7470"
    telemetry: str = ""
    state: Path | None = None
    every_s: Annotated[float, Field(ge=0.5, le=300)] = 5.0
    webhooks: Webhooks = Webhooks()
    objectives: tuple[Objective, ...] = SENSIBLE
    symptoms: tuple[SymptomRule, ...] = UNEXPLAINED
    rules: tuple[Rule, ...] = ()
    recording: Recording | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [objective.name for objective in self.objectives]
        names += [rule.name for rule in self.symptoms] + [rule.name for rule in self.rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} is there twice; objectives, symptoms and rules are told apart by their names")
        return self


def read_settings(path: Path | None, given: dict[str, Any], control: dict[str, Any] | None = None) -> Settings:
    """The file, if any, with what was `given` on the command line on top, and the `control` plane below: of what runs
    around us, for a file that wants recordings and does not say whose. Raises SettingsRefused."""
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8")) if path is not None else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsRefused(f"{path}{_unread(error)}") from None
    if written is not None and not isinstance(written, dict):
        raise SettingsRefused(f"{path}: expected a mapping such as `every_s: 5`")
    written = written or {}
    if isinstance(wanted := written.get("recording"), dict) and "control" not in wanted:
        written["recording"] = {**(control or {}), **wanted}
    try:
        return Settings.model_validate(_merge(written, given))
    except ValidationError as error:
        told = "; ".join(_mistake(one) for one in error.errors()[:_TOLD])
        raise SettingsRefused(f"{path or 'command line'}: {told}") from None


_TOLD = 5


def _unread(error: Exception) -> str:
    """Why a file is not read, after its name: with the line where YAML ends."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        at = error.problem_mark
        return f":{at.line + 1}:{at.column + 1}: {error.problem}; this is no YAML"
    if isinstance(error, OSError):
        return f": {error.strerror}"
    return f": {' '.join(str(error).split())}; this is no YAML in UTF-8"


def _mistake(one: ErrorDetails) -> str:
    where = ".".join(str(part) for part in one["loc"])
    if one["type"] == "extra_forbidden":
        return f"{where}: there is no such setting; docs/rootcause.md lists them"
    said = one["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


def _merge(written: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """`given` over `written`, inside of mappings too."""
    merged = dict(written)
    for name, value in given.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
