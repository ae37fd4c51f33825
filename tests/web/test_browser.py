"""A real browser: one page by keyboard alone, and from an event to the member of a segment."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import Protocol

import pytest
import uvicorn
from playwright.sync_api import Browser
from starlette.applications import Starlette

from chromium import PATIENCE_MS, chromium
from opportune import api, events, web, worker
from opportune.keys import create_key, keys_file
from opportune.storage import Stores

MOST_TABS = 40


class Site(Protocol):
    address: str


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


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


@contextmanager
def program(stores: Stores) -> Iterator[str]:
    """Everything that `opportune serve` runs, in threads; gives its address."""
    stop = threading.Event()
    with ExitStack() as stack:
        log = stores.open_log(stack)
        application = Starlette(
            routes=[
                *api.collector_routes(
                    log,
                    api.WriteKeys(keys_file(stores.settings)),
                    limits=events.limits(stores.settings),
                    clock=lambda: int(datetime.now(UTC).timestamp() * 1_000_000),
                ),
                *api.routes(stores),
                *web.routes(stores),
            ]
        )
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
        threads = [
            threading.Thread(target=server.run, args=([listening],), daemon=True),
            threading.Thread(
                target=lambda: worker.run(stores, clock=lambda: datetime.now(UTC), stop=stop),
                daemon=True,
            ),
        ]
        for thread in threads:
            thread.start()
        while not server.started:
            threads[0].join(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        stop.set()
        server.should_exit = True
        for thread in threads:
            thread.join(20)


def track(address: str, key: str, event: str) -> int:
    """Send an event as curl does."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    said = {"userId": "ana-1", "event": event, "properties": {"revenue": 12.5}}
    headers = {
        "Authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}",
        "Content-Type": "application/json",
    }
    try:
        connection.request("POST", "/v1/track", json.dumps(said), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_from_an_event_to_the_member_of_a_segment(browser: Browser, stores: Stores) -> None:
    key = create_key(stores.settings, "shop")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    with program(stores) as address:
        page.goto(f"{address}/live")
        assert page.locator("#waiting").inner_text() == "Waiting for the first event."
        assert track(address, key, "Order Completed") == 200
        row = page.locator("#tail tbody tr", has_text="Order Completed")
        row.wait_for()
        assert page.locator("#waiting").count() == 0
        row.get_by_role("link").click()
        page.get_by_role("heading", level=1, name="ana-1").wait_for()
        page.get_by_role("link", name="segment of those who did Order Completed").click()
        page.locator("#count").wait_for()
        assert page.locator("#count").inner_text() == "1 person"
        # Another condition, by the keyboard: nobody meets it, and then everybody.
        page.get_by_role("button", name="trait", exact=True).press("Enter")
        page.get_by_label("trait", exact=True).fill("plan")
        page.locator("#count", has_text="0 people").wait_for()
        assert page.evaluate("document.activeElement.name") == "rule-1-name"
        page.get_by_role("button", name="Remove this condition").last.click()
        page.locator("#count", has_text="1 person").wait_for()
        page.get_by_label("Title").fill("Buyers")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("heading", level=1, name="Buyers").wait_for()
        while page.locator("#size").inner_text() != "1":
            page.reload()
        page.locator("#size").click()
        assert page.locator("#people tbody tr").count() == 1
        page.keyboard.press("Control+k")
        assert page.evaluate("document.activeElement.id") == "find"
        page.keyboard.type("ana-1")
        page.keyboard.press("Enter")
        page.get_by_role("heading", level=1, name="ana-1").wait_for()
        assert page.get_by_role("link", name="Buyers").count() >= 1
        page.goto("about:blank")
    assert complaints == []
    assert [url for url in asked if not url.startswith((address, "about:"))] == []
