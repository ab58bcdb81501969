"""`whymesh why`: asks the root-cause engine what is wrong. In: what to ask about. Out: the answer, as text or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import click

from deploy.ask_rootcause import UNREACHABLE, Engine, where
from deploy.why_text import explain, show_alarm, show_finding, show_proof, show_trace

EXIT_CODES = {"nothing_wrong": 0, "degraded": 1, "not_enough_data": 3}
_TRACE = re.compile(r"(?:00-)?([0-9a-fA-F]{32})(?:-[0-9a-fA-F]{16}-[0-9a-fA-F]{2})?")
_ID = re.compile(r"[0-9a-f]{12}")


@click.command(name="why")
@click.argument("what", required=False)
@click.option("--json", "as_json", is_flag=True, help="The engine's answer as it is.")
@click.option("--sql", "as_sql", is_flag=True, help="Of an incident: each statement with the SQL that shows it.")
@where
def command(what: str | None, as_json: bool, as_sql: bool, url: str | None, state: Path | None) -> None:
    """Say what is wrong now, or what was: WHAT is an incident, an alarm, a service, a request, or `last`.

    \b
    Examples:
      whymesh why                                     now
      whymesh why last                                the newest incident, over or not
      whymesh why 4f1c09a2b3de                        one incident, or one alarm
      whymesh why payments                            the newest incident that payments caused
      whymesh why 0af7651916cd43dd8448eb211c80319c    one request, by trace id or traceparent
      whymesh why 6f1c-42                             one request, by the x-request-id that its caller gave it
      whymesh why --json | jq .finding.culprit
      whymesh why last --sql                          what to paste into clickhouse-client, or `whymesh sql`
    \b
    Exit codes: 0 nothing is wrong, 1 something is degraded (the request failed), 3 not known (engine unreachable, or
    too little data yet).
    """
    engine = Engine("why", url, state)
    if what is None:
        answer: dict[str, Any] = engine.ask("/v1/why")
        _print(answer, as_json, _proof_now if as_sql else explain)
        raise SystemExit(EXIT_CODES.get(answer.get("state", ""), UNREACHABLE))
    trace = _TRACE.fullmatch(what)
    found = None if trace else _incident_or_alarm(engine, what)
    if found is not None:
        _print(found, as_json, show_alarm if "rule" in found else show_proof if as_sql else show_finding)
        raise SystemExit(1 if found["state"] == "open" else 0)
    story = engine.ask(f"/v1/traces/{trace[1]}") if trace else engine.find(f"/v1/traces/{quote(what, safe='')}")
    if story is None:
        _nothing(f"{what} has caused no incident, and is the id of no alarm and no request that is stored")
    _print(story, as_json, show_trace)
    raise SystemExit(1 if story["failed"] else 0)


def _incident_or_alarm(engine: Engine, what: str) -> dict[str, Any] | None:
    """What is asked about, None when there is none of this id and no service of this name has caused an incident."""
    if _ID.fullmatch(what):
        found: dict[str, Any] | None = engine.find(f"/v1/incidents/{what}") or engine.find(f"/v1/alarms/{what}")
        if found is not None:
            return found
    asked = "/v1/incidents" if what == "last" else f"/v1/incidents?{urlencode({'service': what})}"
    incidents: list[dict[str, Any]] = engine.ask(asked)["incidents"]
    if not incidents and what == "last":
        _nothing("there was no incident")
    return incidents[0] if incidents else None


def _proof_now(answer: dict[str, Any]) -> None:
    finding = answer.get("finding")
    if finding:
        show_proof(finding)
    else:
        explain(answer)


def _nothing(sentence: str) -> NoReturn:
    click.echo(f"whymesh why: {sentence}; `whymesh why` says what is wrong now", err=True)
    raise SystemExit(0)


def _print(answer: dict[str, Any], as_json: bool, show: Callable[[dict[str, Any]], None]) -> None:
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        show(answer)
