"""`python -m tests.e2e.pictures FOLDER`: every page of the web UI as a picture, in light and dark, wide and narrow.

In: a UI that runs somewhere (`--ui`, such as that of `whymesh demo`), else one over a store that is filled for it.
Out: `page-theme-width.png` in the folder. The picture in README.md is `graph-light-1440.png` of a demo whose payments
are slow: `whymesh demo`, `whymesh fault payments latency 300ms`, a minute later this with `--ui http://127.0.0.1:8501`.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.world.browser import browser_page
from tests.world.processes import free_port, whymesh
from tests.world.telemetry import seeded_store

PAGES = {
    "graph": ("/", "Captured:"),
    "service": ("/?pick=payments", "own time"),
    "incident": ("/incidents", "Ruled out"),
    "security": ("/security", "Certificates"),
    "sql": ("/sql", "rows"),
}
HEIGHT = 900
PATIENCE_MS = 120_000
SETTLE_MS = 1_500
"""Charts are drawn after the text beside them, and nothing says when."""


@contextlib.contextmanager
def ours() -> Iterator[str]:
    """The address of a UI over ten minutes of the shop, with an incident."""
    listen = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as folder, seeded_store(Path(folder)) as store:
        log = Path(folder) / "ui.log"
        with whymesh("ui", "--listen", listen, "--store", store, log=log) as ui:
            ui.ready(f"http://{listen}/_stcore/health")
            yield f"http://{listen}"


def take(page: Page, address: str, width: int, path: Path, seen: str, *, whole: bool) -> None:
    """One picture, once the page shows what it has to; the `whole` page, or what fits on the screen."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.goto(address)
    page.get_by_text(seen).first.wait_for()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=PATIENCE_MS)
    page.wait_for_timeout(SETTLE_MS)
    if whole:
        tall = page.evaluate("document.querySelector('[data-testid=stMain]')?.scrollHeight ?? 0")
        page.set_viewport_size({"width": width, "height": max(HEIGHT, int(tall) + 20)})
        page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=path)


def main() -> None:
    """Takes all pictures, or those of the pages that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="*", choices=[[], *PAGES], help="[default: all]")
    parser.add_argument("--ui", help="the address of a UI that runs")
    parser.add_argument("--widths", type=int, nargs="+", default=[1440, 1280, 800])
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.nullcontext(asked.ui) if asked.ui else ours() as ui:
        for theme in ("light", "dark"):
            with browser_page(dark=theme == "dark") as page:
                page.set_default_timeout(PATIENCE_MS)
                for name in asked.pages or PAGES:
                    path, seen = PAGES[name]
                    for width in asked.widths:
                        to = asked.folder / f"{name}-{theme}-{width}.png"
                        take(page, ui + path, width, to, seen, whole=(name, width) != ("graph", 1440))
                        print(to)


if __name__ == "__main__":
    main()
