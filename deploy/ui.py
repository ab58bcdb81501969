"""`whymesh ui`: becomes Streamlit on the dashboards. In: where the store is. Out: a page on a loopback port."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import click

import dashboards


def streamlit_arguments(listen: str) -> tuple[str, ...]:
    """The Streamlit command line that serves the dashboards on `host:port`, asking and telling nobody anything."""
    host, _, port = listen.rpartition(":")
    app = Path(dashboards.__file__).with_name("app.py")
    options = {
        "server.address": host.strip("[]"),
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
    }
    return ("run", str(app), *(f"--{key}={value}" for key, value in options.items()))


@click.command(name="ui")
@click.option("--listen", default="127.0.0.1:8501", show_default=True, help="Where the browser finds it.")
@click.option(
    "--store",
    envvar="WHYMESH_STORE",
    default="clickhouse://127.0.0.1:9000/otel",
    show_default=True,
    help="The store to read (also from WHYMESH_STORE).",
)
@click.option(
    "--rootcause",
    envvar="WHYMESH_ROOTCAUSE",
    default="",
    help="The root-cause engine, such as http://127.0.0.1:7470: shows the webhooks, with a button that tries them, to"
    " everybody who opens the page.",
)
def command(listen: str, store: str, rootcause: str) -> None:
    """Show the service graph, the incidents and a SQL page in a browser.

    \b
    Example:
      whymesh ui --listen 127.0.0.1:8501 --rootcause http://127.0.0.1:7470
    """
    if importlib.util.find_spec("streamlit") is None:
        raise ModuleNotFoundError("No module named 'streamlit'", name="streamlit")
    os.environ["WHYMESH_STORE"] = store
    os.environ["WHYMESH_ROOTCAUSE"] = rootcause
    sys.stdout.flush()
    arguments = [sys.executable, "-P", "-m", "streamlit", *streamlit_arguments(listen)]
    os.execv(sys.executable, arguments)  # noqa: S606 (Streamlit wants to be the main program)
