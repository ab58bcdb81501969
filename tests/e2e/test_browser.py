"""The web UI as people use it: a real browser on the real app over a real store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.world.browser import browser_page
from tests.world.processes import free_port, whymesh
from tests.world.secured import MISSED
from tests.world.telemetry import SERVICES, TITLE, seeded_store


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the UI, running over a store with ten minutes of the shop."""
    folder = tmp_path_factory.mktemp("ui")
    listen = f"127.0.0.1:{free_port()}"
    with (
        seeded_store(folder) as store,
        whymesh("ui", "--listen", listen, "--store", store, log=folder / "ui.log") as ui,
    ):
        ui.ready(f"http://{listen}/_stcore/health")
        yield f"http://{listen}"


@pytest.fixture
def page() -> Iterator[Page]:
    with browser_page() as opened:
        yield opened


def drawing(page: Page) -> Locator:
    """The SVG of the service graph."""
    return page.locator(".st-key-graph svg")


def name(page: Page, service: str) -> Locator:
    """The name of a service in the drawing."""
    return drawing(page).get_by_text(service, exact=True)


def centre(page: Page, service: str) -> tuple[float, float]:
    """Where the circle of a service is on the screen: the round shape nearest to its name."""
    label = name(page, service)
    expect(label).to_be_visible()
    # What is above the drawing may still come, and move it.
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    x, y = label.evaluate(
        """label => {
            const middle = box => [box.x + box.width / 2, box.y + box.height / 2];
            const [x, y] = middle(label.getBoundingClientRect());
            const round = box => box.width > 20 && box.width < 70 && Math.abs(box.width - box.height) < 2;
            const circles = [...label.ownerSVGElement.querySelectorAll("path")]
                .map(path => path.getBoundingClientRect()).filter(round).map(middle);
            const away = ([cx, cy]) => Math.hypot(cx - x, cy - y);
            return circles.reduce((best, next) => away(next) < away(best) ? next : best);
        }"""
    )
    return float(x), float(y)


def click_service(page: Page, service: str) -> None:
    page.mouse.click(*centre(page, service))


def painted(page: Page, canvas: str) -> bool:
    """Whether anything was drawn on a canvas."""
    drawn: bool = page.locator(canvas).first.evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(byte => byte > 0)"
    )
    return drawn


def shoot(page: Page, folder: Path, title: str) -> None:
    """Keeps what was seen, for whoever reads a failure."""
    page.screenshot(path=folder / f"{title}.png")


def test_the_first_visit_of_any_page_shows_that_page_and_no_other(app: str, page: Page) -> None:
    page.add_init_script(
        """window.seen = [];
        new MutationObserver(() => window.seen.push(document.body.innerText))
            .observe(document, {childList: true, subtree: true, characterData: true});"""
    )
    page.goto(f"{app}/incidents")
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    seen = page.evaluate("window.seen.filter(text => /page not found|incident list/i.test(text))")
    assert seen == []


def test_the_graph_shows_all_services_and_what_is_wrong(app: str, page: Page, tmp_path: Path) -> None:
    page.goto(app)
    for service in SERVICES:
        expect(name(page, service)).to_be_visible()
    expect(name(page, "outside")).to_be_visible()
    expect(name(page, "SUSPECT")).to_be_visible()
    expect(page.get_by_text(TITLE)).to_be_visible()
    expect(page.get_by_text(re.compile(r"Captured: 99\.\d\d %"))).to_be_visible()
    expect(page.get_by_role("cell", name="payments suspect")).to_be_visible()
    shoot(page, tmp_path, "graph")
    assert drawing(page).locator("path").count() > 40, "circles, lines and arrows"


def test_a_click_on_a_service_opens_its_panel(app: str, page: Page, tmp_path: Path) -> None:
    page.goto(app)
    click_service(page, "payments")
    expect(page.get_by_role("heading", name="payments")).to_be_visible()
    expect(page.locator(".fact-label", has_text="own time")).to_be_visible()
    expect(page.locator('[class*="st-key-course-"] canvas').first).to_be_visible()
    assert "pick=payments" in page.url
    page.get_by_role("tab", name="Instances").click()
    expect(page.get_by_role("cell", name="payments-1")).to_be_visible()
    shoot(page, tmp_path, "panel")
    click_service(page, "payments")
    expect(page.get_by_role("heading", name="payments")).to_be_hidden()


def test_a_click_on_an_arrow_opens_the_call(app: str, page: Page) -> None:
    page.goto(f"{app}/?live=false")
    start, end = centre(page, "checkout"), centre(page, "payments")
    page.mouse.click((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    expect(page.get_by_role("heading", name="checkout → payments")).to_be_visible()
    expect(page.locator(".fact-label", has_text="link")).to_be_visible()


def test_a_trace_is_opened_and_closed(app: str, page: Page, tmp_path: Path) -> None:
    page.goto(f"{app}/?pick=payments&live=false")
    page.get_by_role("tab", name="Traces").click()
    page.locator('[class*="st-key-open-"] button').first.click()
    waterfall = page.get_by_role("img", name="Waterfall of trace")
    expect(waterfall.get_by_text(re.compile("payments-[12] POST /charges")).first).to_be_visible()
    assert "trace=" in page.url
    shoot(page, tmp_path, "trace")
    page.get_by_role("button", name="Close").click()
    expect(waterfall).to_be_hidden()


def test_the_incident_leads_from_the_graph_to_its_proof_and_its_sql(app: str, page: Page, tmp_path: Path) -> None:
    page.goto(app)
    page.get_by_role("link", name="Why?").click()
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    expect(page.get_by_text("payments v1 on payments-1")).to_be_visible()
    expect(page.get_by_text("93 %", exact=True)).to_be_visible()
    expect(page.get_by_text("build 41 to build 42")).to_be_visible()
    expect(page.get_by_text("answers as fast as before")).to_be_visible()
    expect(page.get_by_text("ann looks after it")).to_be_visible()
    expect(page.get_by_text("the pool of connections is new in it")).to_be_visible()
    expect(page.get_by_text("front breaks its objective: 99.9 % of requests do not fail")).to_be_visible()
    expect(page.locator(".st-key-symptom canvas").first).to_be_visible()
    assert painted(page, ".st-key-symptom canvas"), "the course of the symptom is blank"
    shoot(page, tmp_path, "incident")
    page.get_by_text("own time went from 21 ms").click()
    page.get_by_role("link", name="Run it on the SQL page").click()
    expect(page.get_by_label("Query")).to_have_value(re.compile("FROM otel.mesh_routes"))
    expect(page.get_by_test_id("stDataFrame")).to_contain_text("own_ms")


def test_the_security_page_leads_from_a_denial_to_its_request(app: str, page: Page, tmp_path: Path) -> None:
    page.goto(f"{app}/security")
    expect(page.get_by_text("Still in the clear: cart.")).to_be_visible()
    expect(page.get_by_role("row", name="cart inventory")).to_contain_text("plaintext")
    expect(page.get_by_role("row", name="front checkout")).to_contain_text("encrypted")
    expect(page.get_by_text(MISSED).first).to_be_visible()
    shoot(page, tmp_path, "security")
    page.locator('[class*="st-key-open-"] button').first.click()
    expect(page.get_by_role("img", name="Waterfall of trace")).to_be_visible()
    expect(page.get_by_text("whymesh why ")).to_be_visible()
    expect(page.get_by_text("renewed by itself at about")).to_be_visible()


def test_a_query_is_run_and_its_result_shown(app: str, page: Page, tmp_path: Path) -> None:
    sql = "SELECT Service, sum(Calls) AS calls FROM otel.mesh_routes GROUP BY Service ORDER BY Service"
    page.goto(f"{app}/sql?sql={quote(sql)}")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("8 rows", exact=False).first).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_contain_text("recommendations")
    shoot(page, tmp_path, "sql")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    text = download.value.path().read_text()
    assert text.splitlines()[0] == "Service,calls"
    assert len(text.splitlines()) == 9


def test_a_page_asks_nobody_but_its_own_server(app: str, page: Page) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    for path, seen in (
        ("", "Captured:"),
        ("/incidents", "Ranking"),
        ("/security", "Denied"),
        ("/sql", "Tables and columns"),
    ):
        page.goto(app + path)
        expect(page.get_by_text(seen).first).to_be_visible()
    assert asked - {""} == {urlsplit(app).netloc}
