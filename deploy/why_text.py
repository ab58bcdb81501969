"""Prints what the root-cause engine said for a person: what, who, why, since when, who else it might be, the proof."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape


def explain(answer: dict[str, Any]) -> None:
    """What is wrong now."""
    finding = answer.get("finding")
    if finding:
        show_finding(finding, answer.get("summary", ""))
    else:
        _out().print(escape(answer.get("summary", "")))
    for other in answer.get("also", ()):
        _out().print(f"\n[bold]also open[/bold] since {other['opened_at'][:19]}: {escape(other['title'])}")
        _out().print(f"  whymesh why {escape(other['id'])}")
    for alarm in answer.get("alarms", ()):
        _out().print(f"\n[bold]alarm[/bold] since {alarm['opened_at'][:19]}: {escape(alarm['title'])}")
        _out().print(f"  {escape(alarm['why'])}")


def show_finding(finding: dict[str, Any], summary: str = "") -> None:
    """One incident."""
    out = _out()
    out.print(f"[bold]{escape(finding['title'])}[/bold]")
    if summary:
        out.print(escape(summary))
    parts = [f"{key} {value}" for key, value in finding["culprit"].items() if value]
    out.print(
        f"\nculprit     [bold red]{escape(', '.join(parts))}[/bold red]  (confidence {finding['confidence']:.0%})"
    )
    until = f" until {finding['resolved_at']}" if finding.get("resolved_at") else ""
    out.print(f"incident    {escape(finding['id'])}")
    out.print(f"since       {escape(str(finding['opened_at']))}{escape(until)}  {escape(finding['state'])}")
    if said := finding.get("acknowledged"):
        out.print(f"looked after by {escape(said['by'])} since {said['time'][:19]}  {escape(said['text'])}")
    if change := finding.get("change"):
        out.print(f"preceded by {escape(str(change['summary']))}")
    _list(out, "ranking", [f"{r['service']}: {r['why']}" for r in finding["ranking"]])
    _list(out, "ruled out", [f"{r['service']}: {r['why']}" for r in finding["ruled_out"]])
    _list(out, "evidence", [e["statement"] for e in finding["evidence"]])
    _list(out, "traces", finding["exemplars"])
    notes = finding.get("notes", ())
    _list(out, "notes", [f"{note['time'][:19]} {note['by']}: {note['text']}" for note in notes], most=len(notes))


def show_trace(story: dict[str, Any]) -> None:
    """One request: the summary, then every hop under the one that made it."""
    out = _out()
    out.print(f"[bold]{escape(story['summary'])}[/bold]")
    out.print(f"\ntrace       {story['trace']}")
    out.print(f"since       {escape(story['started_at'])}")
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


def _out() -> Console:
    return Console(highlight=False, soft_wrap=True)
