"""In a real browser: a template becomes a use case in shadow, by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from chromium import PATIENCE_MS, chromium
from opportune import project
from opportune.storage import Stores

MOST_TABS = 80
FOCUSED = "(document.activeElement.name || document.activeElement.textContent).trim()"


def go_to(page: Page, name: str) -> None:
    """Press Tab until a field or button of this name has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) == name:
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_from_a_template_to_shadow_by_keyboard(
    site: Any, apply: Callable[..., None], stores: Stores
) -> None:
    apply({"next_offer": "Next offer"})
    complaints: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"{site.address}/new-use-case")
        page.focus("#find")
        go_to(page, "template")
        page.keyboard.type("Winback")
        go_to(page, "Fill in, with its metrics and segments")
        page.keyboard.press("Enter")
        page.wait_for_url("**/new-use-case?template=winback")
        go_to(page, "control")
        page.keyboard.press("Control+a")
        page.keyboard.insert_text("much")
        # Enter in a field checks: what was typed is there, with its mistake beside it.
        page.keyboard.press("Enter")
        page.locator("#wrong-control").wait_for()
        assert page.input_value("input[name=control]") == "much"
        page.set_viewport_size({"width": 400, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        page.focus("input[name=control]")
        page.keyboard.press("Control+a")
        page.keyboard.insert_text("20")
        page.focus("textarea[name=config]")
        # The first button of this name starts in shadow.
        go_to(page, "then")
        page.keyboard.press("Enter")
        page.wait_for_url("**/use-cases/winback/state")
    found = project.read(stores.state).use_case("winback")
    assert (found.state, found.control_share) == ("shadow", 0.2)
    assert complaints == []
