"""Prints what the root-cause engine said for a person: what, who, since when, why, who else, what to look at."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from deploy.lines import hung, width
from deploy.reasons import advice
from rootcause.explain.apart import apart
from rootcause.explain.quantities import added_ms, ms, percent

_CODE = re.compile(r"\(([a-z0-9_]+)\)")
_FACT = 12
"""Characters before the value of a fact."""


def explain(answer: dict[str, Any]) -> None:
    """What is wrong now."""
    finding = answer.get("finding")
    if finding and answer.get("blind"):
        _say(f"{answer['blind']}; what follows is from before\n", fg="red", bold=True)
    if finding:
        show_finding(finding, others=len(answer.get("also", ())))
    else:
        _say(answer.get("summary", ""))
    for other in answer.get("also", ()):
        _say(f"\nalso open since {_moment(other['opened_at'])}: {other['title']}", hang=2, bold=True)
        _say(f"  whymesh why {other['id']}")
    for alarm in answer.get("alarms", ()):
        _say(f"\nalarm since {_moment(alarm['opened_at'])} ({alarm['severity']}): {alarm['title']}", hang=2, bold=True)
        _say(f"  {alarm['why']}", hang=2)
        owner = alarm["acknowledged"]["by"] if alarm["acknowledged"] else "nobody"
        _say(f"  {owner} looks after it: whymesh why {alarm['id']}")


def show_alarm(alarm: dict[str, Any]) -> None:
    """One alarm, with the SQL that shows its figure."""
    _say(alarm["title"], bold=True)
    _say(f"\n{alarm['why']}\n")
    _fact("rule", alarm["rule"])
    _fact("severity", alarm["severity"])
    _course(alarm)
    _notes(alarm)
    _say("\nthe SQL behind it", bold=True)
    _say(f"  {alarm['sql']}", hang=2)


def show_finding(finding: dict[str, Any], *, others: int = 0) -> None:
    """One incident; `others` are open beside it and told below."""
    _say(finding["title"], bold=True)
    if others:
        _say(f"(one of {others + 1} open incidents; the others are below)")
    _say("")
    _facts(finding)
    _list("why", [e["statement"] for e in finding["evidence"]])
    _list("where the time goes, of a request that users feel", [_on_path(part) for part in finding["path"]])
    _list("seen only in part", [gap["statement"] for gap in finding["gaps"]])
    _list("look at these next", [f"{r['service']}: {r['why']}" for r in finding["ranking"][1:]])
    _list("ruled out", [f"{r['service']}: {r['why']}" for r in finding["ruled_out"]])
    bad = [f"whymesh why {trace}" for trace in finding["exemplars"]]
    good = [f"whymesh why {trace}  (went well)" for trace in finding["counter_exemplars"][:1]]
    _list("requests to look at", bad + good)
    _notes(finding)
    _say(f"\nThe SQL behind each statement: whymesh why {finding['id']} --sql", hang=2)


def show_proof(finding: dict[str, Any]) -> None:
    """The statements of an incident, each with the SQL that shows it: to be pasted into any client of the store."""
    for evidence in finding["evidence"]:
        _say(f"-- {evidence['statement']}", bold=True)
        click.echo(f"{evidence['sql']};\n")


def _facts(finding: dict[str, Any]) -> None:
    _fact(
        "culprit", f"{_culprit(finding['culprit'])}  (confidence {percent(finding['confidence'])})", fg="red", bold=True
    )
    _fact("its part", _part(finding["contribution"], finding["symptom"]))
    _advice(finding)
    if onset := finding.get("onset"):
        _fact("began", f"{_moment(onset['at'])}, give or take {max(1, round(onset['within_s']))} s")
    if change := finding.get("change"):
        _fact("changed", f"{change['summary']}, {_moment(change['time'])}")
    _course(finding)


def _advice(finding: dict[str, Any]) -> None:
    """What the proxies' own word for it means, and what to do, where they have one."""
    codes = _CODE.findall(finding["ranking"][0]["why"]) if finding["ranking"] else ()
    if known := next(filter(None, map(advice, codes)), None):
        _fact("cause", known.cause)
        _fact("next", known.next)


def _course(found: dict[str, Any]) -> None:
    """Since when it goes on, and who looks after it."""
    since, over = found.get("reopened_at") or found["opened_at"], found.get("resolved_at")
    lasted = (_time(over) if over else datetime.now(UTC)) - _time(since)
    until = f"resolved {_moment(over)}, after {_long(lasted)}" if over else f"open for {_long(lasted)}"
    _fact("since", f"{_moment(since)}, {until}")
    if many := found.get("reopened"):
        _fact("came back", f"{'once' if many == 1 else f'{many} times'}, opened first {_moment(found['opened_at'])}")
    _fact("alarm" if "rule" in found else "incident", found["id"])
    if said := found.get("acknowledged"):
        about = f": {said['text']}" if said["text"] else ""
        _fact("owner", f"{said['by']} since {_moment(said['time'])}{about}")
    elif not over:
        _fact("owner", f"nobody yet: whymesh ack {found['id']}")


def _notes(found: dict[str, Any]) -> None:
    told = [f"{_moment(note['time'])} {note['by']}: {note['text']}" for note in found.get("notes", ())]
    _list("notes", told, most=len(told))


def _culprit(culprit: dict[str, str]) -> str:
    """`payments v2, instance payments-3, route /charges`, or `the link cart -> payments`; `…, in zone b`."""
    if culprit.get("link"):
        named, below = f"the link {culprit['link']}".replace("link * -> ", "link to "), []
    else:
        named = f"{culprit['service']} {culprit.get('version', '')}".strip()
        below = [f"{key} {culprit[key]}" for key in ("instance", "route") if culprit.get(key)]
    return ", ".join(part for part in (named, *below, apart(culprit)) if part)


def _part(contribution: dict[str, Any], symptom: dict[str, Any]) -> str:
    """How much of what users feel is its doing, in their unit."""
    value, share = contribution["value"], f"{percent(contribution['share'])} of what was added"
    whose = f"{symptom['service']} {symptom['route']}".strip()
    if symptom["signal"] == "latency":
        return f"{added_ms(value)} a request to {whose}, {share}"
    return f"{percent(value)} of requests to {whose} fail by it, {share}" if symptom["signal"] == "errors" else share


def _on_path(part: dict[str, Any]) -> str:
    """`payments: 12 ms -> 310 ms (+298 ms), 40 ms beside it`."""
    beside = f", {ms(part['beside_ms'])} beside it" if part["beside_ms"] >= 1 else ""
    figures = f"{ms(part['baseline_ms'])} -> {ms(part['observed_ms'])} ({added_ms(part['added_ms'])})"
    return f"{part['where']}: {figures}{beside}"


def show_trace(story: dict[str, Any]) -> None:
    """One request: the summary, then every hop under the one that made it."""
    _say(story["summary"], bold=True)
    _say("")
    _fact("trace", story["trace"])
    _fact("at", _moment(story["started_at"]))
    origin = story["origin"]
    if origin and origin["reason"]:
        _fact("reason", origin["reason"])
    if origin and origin["rule"]:
        _fact("rule", origin["rule"])
    if origin and origin["missed"]:
        _fact("missed", origin["missed"])
    if known := origin and advice(origin["reason"]):
        _fact("cause", known.cause)
        _fact("next", known.next)
    if story["orphans"]:
        _fact("incomplete", f"{story['orphans']} spans belong under spans that are not stored")
    _say("\nhops", bold=True)
    for hop in story["hops"]:
        _say(_hop(hop, origin), hang=18 + 2 * hop["depth"], fg="red" if hop["bad"] else None)
    _list("where the time went", [f"{s['where']}: {ms(s['ms'])} ({percent(s['share'])})" for s in story["spent"]])


def _hop(hop: dict[str, Any], origin: dict[str, Any] | None) -> str:
    who = f"{hop['service']} -> {hop['peer']}" if hop["kind"] == "Client" and hop["peer"] else hop["service"]
    told = " ".join(filter(None, (hop["name"], hop["status"], hop["reason"])))
    here = "  <- began here" if origin and hop["span"] == origin["span"] else ""
    return f"  {hop['ms']:>9.1f} ms  {'  ' * hop['depth']}{who} [{told}]{here}"


def _fact(name: str, value: str, **style: Any) -> None:
    _say(f"{name:{_FACT}}{value}", hang=_FACT, **style)


def _list(title: str, lines: list[str], most: int = 5) -> None:
    if lines:
        _say(f"\n{title}", bold=True)
    for line in lines[:most]:
        _say(f"  {line}", hang=4)
    if len(lines) > most:
        _say(f"  and {len(lines) - most} more")


def _say(text: str, hang: int = 0, **style: Any) -> None:
    """A line; of what services are called, nothing is more than text."""
    printable = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    click.secho(hung(printable, hang, width()), **style)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment(text: str) -> str:
    """To the second, in the one time zone of everything that is stored."""
    return f"{_time(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _long(time: timedelta) -> str:
    """`36 s`, `4 min`, `2 h 5 min`, `3 days`."""
    seconds = max(0, round(time.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    if time.days > 1:
        return f"{time.days} days"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
