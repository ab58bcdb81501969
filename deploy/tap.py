"""`whymesh tap`: shows requests of the mesh as its proxies see them.

In: which proxies, and which requests. Out: one line each, as text or JSON, as they happen or in order of time.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from deploy.asking import Unanswered, ask, ask_json
from deploy.lines import hung, width
from deploy.local.reach import DEFAULT_URL, Reach, reach
from deploy.tap_text import HANG, line

REFUSED = 2
UNREACHABLE = 3

Request = dict[str, Any]


class NoProxy(Exception):
    """The mesh has none that could show it; the message is for the operator."""


@click.command(name="tap")
@click.argument("whose", metavar="[SERVICE]", required=False)
@click.option("--service", help="Only between it and this service.")
@click.option("--path", help="Only this path or route; /orders/* for what begins so.")
@click.option(
    "--status", help="Only this status (503), class (5xx), or none for no answer. A gRPC code counts as what it means."
)
@click.option("--reason", help="Only with this mesh.reason, or any.")
@click.option("--direction", type=click.Choice(["inbound", "outbound"]), help="Only what arrives, or what is called.")
@click.option("--min", "least", help="Only what took so long: 250ms, 1.5s.")
@click.option(
    "--since", help="The last requests instead of the next: of so long ago, as far as they are kept (60s, 5m)."
)
@click.option("--follow", "-f", is_flag=True, help="With --since: then those that come, too.")
@click.option("--limit", type=click.IntRange(1), help="So many requests of each proxy.")
@click.option("--json", "as_json", is_flag=True, help="Everything known of each, a line of JSON.")
@click.option("--admin", multiple=True, metavar="HOST:PORT", help="Of these proxies, whatever the control plane knows.")
@click.option("--control", help=f"The control plane [default: that of the running demo or `up`, else {DEFAULT_URL}].")
@click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
def command(
    whose: str | None,
    least: str | None,
    as_json: bool,
    admin: tuple[str, ...],
    control: str | None,
    state: Path | None,
    **wish: Any,
) -> None:
    """Show requests as they happen, or the last ones: those of SERVICE's proxies (or a gateway's), or of all.

    \b
    Examples:
      whymesh tap                                       everything, until Ctrl-C
      whymesh tap payments --status 5xx                 what fails at payments, or in its calls
      whymesh tap payments --since 60s --min 250ms      what was slow in the last minute
      whymesh tap --reason any --json | jq '."mesh.reason"'
    \b
    Exit codes: 0 shown, 2 a condition makes no sense, 3 a proxy or the control plane does not answer.
    """
    asked = {name: value for name, value in {**wish, "min": least}.items() if value}
    if wish["follow"]:
        asked["follow"] = "true"
    try:
        proxies = admin or tuple(admins(reach(control, state, "--control"), whose))
        for request in seen(proxies, asked):
            if not _of(request, whose):
                continue
            click.echo(json.dumps(request) if as_json else hung(line(request), HANG, width()))
    except (NoProxy, Unanswered) as error:
        click.echo(f"whymesh tap: {error}", err=True)
        refused = isinstance(error, NoProxy) or error.status == 400
        raise SystemExit(REFUSED if refused else UNREACHABLE) from None


def _of(request: Request, service: str | None) -> bool:
    """Whether a service's proxy says it: a proxy may stand beside several."""
    end = "source" if request.get("direction") == "outbound" else "destination"
    return service in (None, request.get(f"mesh.{end}.service", service))


def admins(control: Reach, whose: str | None) -> list[str]:
    """The admin addresses of the proxies of a service or gateway, or of all. Raises Unanswered, NoProxy."""
    found = ask_json(f"{control.url}/v1/status", f"the control plane at {control.url}", root=control.root)
    proxies = found["proxies"]
    serves = {proxy["name"]: [proxy["name"]] if proxy["gateway"] else proxy["services"] for proxy in proxies}
    chosen = [proxy for proxy in proxies if whose is None or whose in serves[proxy["name"]]]
    addresses = list(dict.fromkeys(proxy["admin"] for proxy in chosen if proxy["admin"]))
    if not addresses:
        known = ", ".join(dict.fromkeys(name for names in serves.values() for name in names))
        what = f"no proxy of {whose} is known" if whose else "no proxy is known"
        raise NoProxy(f"{what}; there are those of: {known or 'nobody'}")
    return addresses


def seen(proxies: Iterable[str], wish: dict[str, Any]) -> Iterator[Request]:
    """What the proxies show, each as it comes; what was before, in order of time. Raises Unanswered."""
    found: queue.Queue[Request | Unanswered | None] = queue.Queue(maxsize=10_000)
    proxies = list(proxies)
    for address in proxies:
        threading.Thread(target=_watch, args=(address, wish, found), daemon=True).start()
    shown = _until_all_ended(found, len(proxies))
    if "since" in wish and "follow" not in wish:
        shown = iter(sorted(shown, key=lambda request: str(request.get("time", ""))))
    yield from shown


def _until_all_ended(found: queue.Queue[Request | Unanswered | None], watching: int) -> Iterator[Request]:
    while watching:
        match found.get():
            case None:
                watching -= 1
            case Unanswered() as error:
                raise error
            case request:
                yield request


def _watch(address: str, wish: dict[str, Any], found: queue.Queue[Request | Unanswered | None]) -> None:
    """Hands on what one proxy shows, and then None."""
    try:
        with ask(f"http://{address}/tap?{urlencode(wish)}", f"the proxy at {address}") as answer:
            for text in answer:
                if text.strip():
                    found.put(json.loads(text))
    except Unanswered as error:
        found.put(error)
    except (OSError, ValueError) as error:
        found.put(Unanswered(f"the proxy at {address} broke off: {error}"))
    found.put(None)
