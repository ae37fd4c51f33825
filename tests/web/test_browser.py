"""One page in a real browser, by keyboard alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Protocol

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from opportune.storage import Stores

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
)
MOST_TABS = 40
# A page of a minute's work on a busy machine.
PATIENCE_MS = 60_000


class Site(Protocol):
    address: str


@pytest.fixture
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed; install the package 'chromium'")
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(
                executable_path=CHROMIUM, args=list(ARGUMENTS), timeout=PATIENCE_MS
            )
        except Error as error:
            pytest.skip(f"Chromium does not start here: {error.message.splitlines()[0]}")
        yield started
        started.close()


@pytest.mark.usefixtures("demo")
def test_the_truth_opens_by_keyboard(
    browser: Browser,
    site: Site,
    apply: Callable[..., None],
    stores: Stores,
    history: ModuleType,
) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=300))
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.address}/use-cases/next_offer")
    assert page.locator("#captured").is_visible() is False
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Show the truth":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert (page.evaluate("document.activeElement.textContent"), outline) == (
        "Show the truth",
        "solid",
    )
    page.keyboard.press("Enter")
    table = page.locator("#captured")
    table.wait_for(state="visible")
    assert table.locator("tbody tr").count() == 10
    assert table.locator("tbody tr").last.inner_text().split("\t") == ["2026-01-10", "80.0 %"]
    # The page keeps to its own policy, and to its own server.
    assert complaints == []
    assert [url for url in asked if not url.startswith(site.address)] == []
