"""The page of the HTTP door in a browser: a query becomes a table, an error is shown, what is stored is no markup."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.world.browser import browser_page
from tests.world.stores import ServedStore


def test_a_query_is_run_and_shown(served: ServedStore) -> None:
    with browser_page() as page:
        page.goto(f"{served.http}/play")
        page.fill("textarea", "SELECT '<b>bold</b>' AS text, [1, 2] AS list")
        page.click("button")
        expect(page.locator("td")).to_have_text(["<b>bold</b>", "[1,2]"])
        expect(page.locator("th")).to_have_text(["text", "list"])

        page.fill("textarea", "SELECT nothing")
        page.press("textarea", "Control+Enter")
        expect(page.locator("#said")).to_contain_text("nothing")
        expect(page.locator("td")).to_have_count(0)

        page.fill("[name=user]", "guarded")
        page.click("button")
        expect(page.locator("#said")).to_contain_text("AUTHENTICATION_FAILED")
