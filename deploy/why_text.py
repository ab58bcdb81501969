"""Prints what the root-cause engine said for a person: what, who, since when, why, who else, what to look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape


def explain(answer: dict[str, Any]) -> None:
    """What is wrong now."""
    finding = answer.get("finding")
    if finding:
        show_finding(finding)
    else:
        _out().print(escape(answer.get("summary", "")))
    for other in answer.get("also", ()):
        _out().print(f"\n[bold]also open[/bold] since {_moment(other['opened_at'])}: {escape(other['title'])}")
        _out().print(f"  whymesh why {escape(other['id'])}")
    for alarm in answer.get("alarms", ()):
        _out().print(f"\n[bold]alarm[/bold] since {_moment(alarm['opened_at'])}: {escape(alarm['title'])}")
        _out().print(f"  {escape(alarm['why'])}")


def show_finding(finding: dict[str, Any]) -> None:
    """One incident."""
    out = _out()
    out.print(f"[bold]{escape(finding['title'])}[/bold]\n")
    _facts(out, finding)
    _list(out, "why", [e["statement"] for e in finding["evidence"]])
    _list(out, "look at these next", [f"{r['service']}: {r['why']}" for r in finding["ranking"][1:]])
    _list(out, "ruled out", [f"{r['service']}: {r['why']}" for r in finding["ruled_out"]])
    bad = [f"whymesh why {trace}" for trace in finding["exemplars"]]
    good = [f"whymesh why {trace}  (went well)" for trace in finding["counter_exemplars"][:1]]
    _list(out, "requests to look at", bad + good)
    notes = finding.get("notes", ())
    told = [f"{_moment(note['time'])} {note['by']}: {note['text']}" for note in notes]
    _list(out, "notes", told, most=len(told))
    out.print(f"\nThe SQL behind each number: whymesh why {escape(finding['id'])} --json", markup=False)


def _facts(out: Console, finding: dict[str, Any]) -> None:
    culprit = ", ".join(f"{key} {value}" for key, value in finding["culprit"].items() if value)
    out.print(f"culprit     [bold red]{escape(culprit)}[/bold red]  (confidence {finding['confidence']:.0%})")
    out.print(f"its part    {finding['contribution']['share']:.0%} of what was added")
    opened, over = _time(finding["opened_at"]), finding.get("resolved_at")
    lasted = (_time(over) if over else datetime.now(UTC)) - opened
    until = f"resolved {_moment(over)}, after {_long(lasted)}" if over else f"open for {_long(lasted)}"
    out.print(f"since       {_moment(finding['opened_at'])}, {until}")
    out.print(f"incident    {escape(finding['id'])}")
    if onset := finding.get("onset"):
        out.print(f"began       {_moment(onset['at'])}, give or take {max(1, round(onset['within_s']))} s")
    if change := finding.get("change"):
        out.print(f"preceded by {escape(change['summary'])}, {_moment(change['time'])}")
    if said := finding.get("acknowledged"):
        about = f": {said['text']}" if said["text"] else ""
        out.print(f"looked after by {escape(said['by'])} since {_moment(said['time'])}{escape(about)}")
    elif not over:
        out.print(f"looked after by nobody yet: whymesh ack {escape(finding['id'])}")


def show_trace(story: dict[str, Any]) -> None:
    """One request: the summary, then every hop under the one that made it."""
    out = _out()
    out.print(f"[bold]{escape(story['summary'])}[/bold]")
    out.print(f"\ntrace       {story['trace']}")
    out.print(f"at          {_moment(story['started_at'])}")
    origin = story["origin"]
    if origin and origin["reason"]:
        out.print(f"reason      {escape(origin['reason'])}: docs/reasons.md says what it means and what to do")
    if origin and origin["rule"]:
        out.print(f"rule        {escape(origin['rule'])}")
    if origin and origin["missed"]:
        out.print(f"missed      {escape(origin['missed'])}")
    if story["orphans"]:
        out.print(f"incomplete  {story['orphans']} spans belong under spans that are not stored")
    out.print("\n[bold]hops[/bold]")
    for hop in story["hops"]:
        out.print(_hop(hop, origin), markup=False, style="red" if hop["bad"] else "")
    _list(out, "time", [f"{s['ms']:.1f} ms ({s['share']:.0%}) {s['where']}" for s in story["spent"]])


def _hop(hop: dict[str, Any], origin: dict[str, Any] | None) -> str:
    who = f"{hop['service']} -> {hop['peer']}" if hop["kind"] == "Client" and hop["peer"] else hop["service"]
    told = " ".join(filter(None, (hop["name"], hop["status"], hop["reason"])))
    here = "  <- began here" if origin and hop["span"] == origin["span"] else ""
    return f"  {hop['ms']:>9.1f} ms  {'  ' * hop['depth']}{who} [{told}]{here}"


def _list(out: Console, title: str, lines: list[str], most: int = 5) -> None:
    if lines:
        out.print(f"\n[bold]{title}[/bold]")
    for line in lines[:most]:
        out.print(f"  {line}", markup=False)


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


def _out() -> Console:
    return Console(highlight=False, soft_wrap=True)
