"""`whymesh incidents`, `alarms`, `ack`, `note`, `silence`, `webhooks`: what people do about incidents and alarms.

In: what the operator typed. Out: orders to the root-cause engine, and what holds then.
"""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from deploy.ask_rootcause import UNREACHABLE, Engine, where
from deploy.lines import columns, width

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SHOWN = 50
_TEST_S = 30.0
"""A webhook has ten seconds for each of the two messages of a test."""
_by = click.option("--by", default=getpass.getuser, help="Who says so [default: your user name].")


class Duration(click.ParamType[float]):
    """`90s`, `30m`, `2h`, `1d`, as seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no duration; write 90s, 30m, 2h or 1d", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]


@click.command(name="incidents")
@click.option("--service", help="Only those that this service caused.")
@click.option("--json", "as_json", is_flag=True, help="Whole findings.")
@where
def incidents(service: str | None, as_json: bool, url: str | None, state: Path | None) -> None:
    """List incidents, the newest first.

    \b
    Example:
      whymesh incidents --service payments
    """
    path = "/v1/incidents" + (f"?service={quote(service)}" if service else "")
    found = Engine("incidents", url, state).ask(path)["incidents"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    _table(found, "no incidents")


@click.command(name="alarms")
@click.option("--json", "as_json", is_flag=True, help="Whole alarms, with the SQL behind each figure.")
@where
def alarms(as_json: bool, url: str | None, state: Path | None) -> None:
    """List alarms of objectives and rules, the newest first.

    \b
    Example:
      whymesh alarms
    """
    found = Engine("alarms", url, state).ask("/v1/alarms")["alarms"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    _table(found, "no alarms")


@click.command(name="ack")
@click.argument("id")
@click.option("--note", "text", default="", help="What you know or do.")
@_by
@where
def ack(id: str, text: str, by: str, url: str | None, state: Path | None) -> None:
    """Say that you look after an incident or an alarm; its webhooks are told.

    \b
    Example:
      whymesh ack 4f1c09a2b3de --note "rolling back"
    """
    found = _ordered(Engine("ack", url, state), id, "acknowledge", {"by": by, "text": text})
    click.echo(f"{by} looks after {found['id']}: {found['title']}")


@click.command(name="note")
@click.argument("id")
@click.argument("text")
@_by
@where
def note(id: str, text: str, by: str, url: str | None, state: Path | None) -> None:
    """Write something to an incident or an alarm, for whoever reads it later.

    \b
    Example:
      whymesh note 4f1c09a2b3de "the cache was cold after the restart"
    """
    found = _ordered(Engine("note", url, state), id, "notes", {"by": by, "text": text})
    id, many = found["id"], len(found["notes"])
    click.echo(f"{id} has {many} {'note' if many == 1 else 'notes'}; `whymesh why {id}` shows them")


@click.command(name="silence")
@click.argument("service", required=False)
@click.option("--for", "for_s", type=Duration(), help="How long: 90s, 30m, 2h, 1d.")
@click.option("--because", help="Why: planned work, a known trouble.")
@click.option("--end", is_flag=True, help="End the silence now.")
@_by
@where
def silence(
    service: str | None,
    for_s: float | None,
    because: str | None,
    end: bool,
    by: str,
    url: str | None,
    state: Path | None,
) -> None:
    """Tell no webhook of what a service causes (`*`: of anything), for a while; without a service list silences.

    SERVICE may be the name of an objective or of a rule: its alarms are held back. Incidents and alarms open and are
    stored all the same. One that is still open when the silence ends is told then.

    \b
    Examples:
      whymesh silence payments --for 1h --because "moving its database"
      whymesh silence payments --end
      whymesh silence
    """
    engine = Engine("silence", url, state)
    if service is None:
        if end or for_s is not None or because is not None:
            raise click.UsageError("say whose: whymesh silence SERVICE ... (`*`: of anything)")
        _list(engine)
        return
    path = f"/v1/silences/{quote(service, safe='')}"
    if end:
        engine.ask(path, "DELETE", {"by": by})
        click.echo(f"{service} is not silenced")
        return
    if for_s is None or because is None:
        raise click.UsageError("say how long and why: --for 1h --because '...' (or --end)")
    held = engine.ask(path, "PUT", {"by": by, "for_s": for_s, "because": because})
    click.echo(f"{service} is silenced until {_moment(held['until'])}")


@click.command(name="webhooks")
@click.option("--test", "test", is_flag=True, help="Send each a message that opens and is resolved.")
@_by
@where
def webhooks(test: bool, by: str, url: str | None, state: Path | None) -> None:
    """List the webhooks, with what waits for them and why; or try whether each takes what it is told.

    A test goes to each webhook at once, whatever it wishes to hear of and whatever waits for it.

    \b
    Examples:
      whymesh webhooks
      whymesh webhooks --test
      whymesh sql "SELECT Time, Target, Event, Delivered, Error FROM otel.mesh_alerts ORDER BY Time DESC LIMIT 9"
    \b
    Exit codes: 0 all is well, 1 a webhook does not take what it is told, 3 the engine does not answer.
    """
    engine = Engine("webhooks", url, state)
    if test:
        found = engine.ask("/v1/webhooks/test", "POST", {"by": by}, timeout_s=_TEST_S)["webhooks"]
        lines = [_tried(one) for one in found]
    else:
        found = engine.ask("/v1/webhooks")["webhooks"]
        lines = [_standing(one) for one in found]
    click.echo(
        "\n".join(lines) or "nobody is told of incidents: there are no webhooks; see webhooks.urls in docs/rootcause.md"
    )
    raise SystemExit(1 if any(one["error"] for one in found) else 0)


def _tried(webhook: dict[str, Any]) -> str:
    return f"told {webhook['target']}" if webhook["delivered"] else f"{webhook['target']} not told: {webhook['error']}"


def _standing(webhook: dict[str, Any]) -> str:
    of = ", ".join(webhook["services"]) or "all services"
    graver = "" if webhook["severity"] == "warning" else f", from {webhook['severity']} on"
    waiting = f"; {webhook['waiting']} waiting" if webhook["waiting"] else ""
    return f"{webhook['target']}: of {of}{graver}{waiting}" + (f"; {webhook['error']}" if webhook["error"] else "")


def _ordered(engine: Engine, id: str, order: str, body: dict[str, Any]) -> Any:
    """What the incident, or else the alarm of this id is after the order."""
    named = quote(id, safe="")
    found = engine.find(f"/v1/incidents/{named}/{order}", "POST", body)
    if found is None:
        found = engine.find(f"/v1/alarms/{named}/{order}", "POST", body)
    if found is None:
        listed = "`whymesh incidents` and `whymesh alarms` list them"
        raise engine.end(UNREACHABLE, f"{id} is no incident and no alarm; {listed}")
    return found


def _table(found: list[dict[str, Any]], none: str) -> None:
    """A line for each."""
    if not found:
        click.echo(none)
        return
    rows = [("ID", "STATE", "OPENED (UTC)", "OWNER", "WHAT")]
    for one in found[:_SHOWN]:
        owner = one["acknowledged"]["by"] if one["acknowledged"] else "-"
        opened = _moment(one["opened_at"]).removesuffix(" UTC")
        rows.append((one["id"], one["state"], opened, owner, one["title"]))
    click.echo(columns(rows, width()))
    if len(found) > _SHOWN:
        click.echo(f"and {len(found) - _SHOWN} more: --json has all")


def _moment(text: str) -> str:
    """To the second, as everything else tells it."""
    return f"{text[:19].replace('T', ' ')} UTC"


def _list(engine: Engine) -> None:
    silences = engine.ask("/v1/silences")["silences"]
    for held in silences:
        click.echo(f"{held['service']} until {_moment(held['until'])}, by {held['by']}: {held['because']}")
    if not silences:
        click.echo("no silences")
