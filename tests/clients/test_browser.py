"""Segment's browser library in a real browser, on a page of another origin."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from chromium import PATIENCE_MS, chromium

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>
<link rel="icon" href="data:,"><script src="{script}"></script></head><body></body></html>"""
# Only the address of the settings is given: where to send, they must tell.
CALLS = """async ([cdnURL, writeKey, options]) => {
  const { AnalyticsBrowser } = window.AnalyticsNext;
  const analytics = AnalyticsBrowser.load({ writeKey, cdnURL }, options);
  await analytics.page("Docs", "Home");
  await analytics.track("Product Viewed", { id: "p-1" });
  await analytics.identify("USER", { plan: "gold", seats: 4 });
  for (let number = 0; number < 5; number += 1) {
    await analytics.track("Order Completed", { number });
  }
  await analytics.group("acct-5", { employees: 420 });
  const visitor = (await analytics.user()).anonymousId();
  return visitor;
}"""
MODES: dict[str, dict[str, object]] = {
    "browser": {},
    "browser-batching": {
        "integrations": {
            "Segment.io": {"deliveryStrategy": {"strategy": "batching", "config": {"timeout": 200}}}
        }
    },
}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def shop(libraries: Path) -> Iterator[str]:
    """The address of a page that loads the library, of another origin than the program."""
    script = "node_modules/@segment/analytics-next/dist/umd/index.js"
    (libraries / "index.html").write_text(PAGE.format(script=script))
    handler = functools.partial(_Quiet, directory=str(libraries))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.mark.slow
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("mode", sorted(MODES))
def test_events_of_the_browser_library_are_found_in_the_lake_and_the_profile(
    program: Any, browser: Browser, shop: str, mode: str
) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(shop)
    user_id = f"{mode}-1"
    arguments = [program.address, program.keys[mode], MODES[mode]]
    visitor = page.evaluate(CALLS.replace("USER", user_id), arguments)
    rows = program.events(mode, count=9)
    assert Counter((row["type"], row["event"]) for row in rows) == {
        ("page", None): 1,
        ("track", "Product Viewed"): 1,
        ("identify", None): 1,
        ("track", "Order Completed"): 5,
        ("group", None): 1,
    }
    assert {row["anonymous_id"] for row in rows} == {visitor}
    before = {row["event"] or row["type"] for row in rows if row["user_id"] is None}
    assert before == {"page", "Product Viewed"}
    context = json.loads(rows[0]["context"])
    assert (context["page"]["title"], context["library"]["name"]) == ("Shop", "analytics.js")
    profile = program.profile("user_id", user_id)
    assert (profile["traits"]["plan"], profile["traits"]["seats"]) == ("gold", 4)
    named = [(each["kind"], each["value"]) for each in profile["identifiers"]]
    assert ("anonymous_id", visitor) in named
    assert complaints == []
    strangers = [url for url in asked if not url.startswith((program.address, shop[:-10]))]
    assert strangers == []
