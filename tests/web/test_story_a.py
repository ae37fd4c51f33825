"""Story A, in a real browser: customers of a segment of Braze, a use case that learns, its report.

Everything runs as it does when it is installed, in threads of this process: the pages, the
collector and a worker, and a sandbox of Braze whose customers open, click and order.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Page
from starlette.applications import Starlette

from chromium import PATIENCE_MS, chromium
from opportune import activation, api, events, pipeline, project, web, worker
from opportune.activation import braze
from opportune.events import history
from opportune.keys import create_key, keys_file
from opportune.sandbox import CAMPAIGN_ID, SandboxConfig, create_app
from opportune.sandbox.catalogue import SEGMENT_ID
from opportune.storage import Stores
from opportune.storage.engine import open_engine

FIRST = date(2026, 3, 2)
DAYS = 6
CUSTOMERS = 400
SEED = 1
NAME = "next_best_offer"
KNOWN = ("tenure_months", "monthly_spend_eur", "data_usage_gb", "fiber_available", "has_tv", "plan")
METRIC = """
title = "Orders"
event = "Order Completed"
value = "count"
unit = "orders"
window_days = 2
"""
SEGMENT = 'title = "Customers of Braze"\nrule = { trait = "braze_everybody", is = true }\n'


@dataclass
class Story:
    """The program and the sandbox while they run; ``now`` is the time in both."""

    stores: Stores
    address: str
    sandbox: str
    now: datetime

    def tell(self, now: datetime) -> None:
        """Let it be ``now`` everywhere."""
        self.post("clock", {"now": now.isoformat()})
        self.now = now

    def post(self, path: str, body: object) -> Any:
        """Ask the sandbox for something that Braze does not have."""
        request = activation.Request(
            method="POST", path=f"/_sandbox/{path}", body=json.dumps(body).encode(), keys=()
        )
        with activation.Transport(self.sandbox, activation.Bearer("any"), read_timeout_s=60) as way:
            return json.loads(way.call(request).body)

    def get(self, path: str) -> Any:
        """Look at the sandbox."""
        request = activation.Request(method="GET", path=f"/_sandbox/{path}", body=b"", keys=())
        with activation.Transport(self.sandbox, activation.Bearer("any")) as way:
            return json.loads(way.call(request).body)

    def states(self) -> dict[str, int]:
        """How many rows of the outbox are in each state."""
        rows = self.stores.state.rows("select state, count(*)::int as n from outbox group by state")
        return {row["state"]: row["n"] for row in rows}


@contextmanager
def served(application: Any) -> Iterator[str]:
    """Serve it in a thread; gives its address."""
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="auto"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@contextmanager
def program(stores: Stores, clock: Callable[[], datetime]) -> Iterator[str]:
    """Everything that `opportune serve` runs, by ``clock``, in threads."""
    stop = threading.Event()
    with ExitStack() as stack:
        log = stores.open_log(stack)
        collector = api.collector_routes(
            log,
            api.WriteKeys(keys_file(stores.settings)),
            limits=events.limits(stores.settings),
            clock=lambda: int(clock().timestamp() * 1_000_000),
        )
        pages = web.routes(stores, clock=clock)
        application = Starlette(routes=[*collector, *api.routes(stores, clock=clock), *pages])
        address = stack.enter_context(served(application))
        work = threading.Thread(
            target=lambda: worker.run(stores, clock=clock, stop=stop, tick_s=0.02), daemon=True
        )
        work.start()
        yield address
        stop.set()
        work.join(30)


@pytest.fixture
def story(stores: Stores, api_key: str, tmp_path: Path) -> Iterator[Story]:
    settings = replace(
        stores.settings, braze_api_key=api_key, braze_timeout_s=5.0, braze_settle_s=6.0
    )
    keys = {name: create_key(settings, name) for name in ("shop", "braze")}
    stores = replace(stores, settings=settings)
    begins = datetime.combine(FIRST, datetime.min.time(), UTC)
    found = Story(stores=stores, address="", sandbox="", now=begins)
    with ExitStack() as stack:
        found.address = stack.enter_context(program(stores, lambda: found.now))
        config = SandboxConfig(
            api_key=api_key,
            customers=CUSTOMERS,
            seed=SEED,
            start=FIRST,
            events_url=found.address,
            write_key=keys["shop"],
            currents_key=keys["braze"],
        )
        found.sandbox = stack.enter_context(served(create_app(config)))
        define(stores, tmp_path / "project", found.sandbox, begins)
        yield found


def define(stores: Stores, folder: Path, sandbox: str, now: datetime) -> None:
    """Write the definitions of the tutorial's first chapter and apply them."""
    written = {
        "metrics/orders.toml": METRIC,
        "segments/customers.toml": SEGMENT,
        "braze_segments/everybody.toml": (
            f'base_url = "{sandbox}"\nsegment_id = "{SEGMENT_ID}"\nfields = ["time_zone"]\n'
            f"custom_attributes = {json.dumps(KNOWN)}\n"
        ),
        f"use_cases/{NAME}.toml": USE_CASE.format(
            sandbox=sandbox, campaign=CAMPAIGN_ID, features=json.dumps(KNOWN[:-1])[1:-1]
        ),
    }
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    project.apply(stores.state, folder, now=now)


USE_CASE = """
title = "Next best offer"
state = "draft"
success_metric = "orders"
decide_at = "06:00"
features = [{features}, {{ trait = "plan", one_of = ["plus", "premium"] }}]
[audience]
segments = ["customers"]
[groups]
control_share = 0.1
[policy]
name = "factored_thompson"
[activation]
connector = "braze"
campaign_id = "{campaign}"
base_url = "{sandbox}"
cancel_when = "converted, left"
[[dimensions]]
name = "offer"
options = [
    {{ name = "speed_upgrade" }}, {{ name = "tv_bundle" }}, {{ name = "mobile_sim" }},
    {{ name = "loyalty_discount" }}, {{ name = "newsletter" }},
]
[[dimensions]]
name = "channel"
options = [{{ name = "email" }}, {{ name = "push" }}, {{ name = "sms" }}]
[[dimensions]]
name = "hour"
meaning = "hour"
options = [{{ name = "09" }}, {{ name = "18" }}]
"""


def bring(story: Story, folder: Path) -> int:
    """Bring the customers of Braze in, as `opportune braze import-audience everybody` does."""
    stores = story.stores
    segment = project.read(stores.state).braze_segments["everybody"]
    asking = braze.Asking(clock=time.monotonic, sleep=time.sleep, patience=braze.Patience())
    with ExitStack() as stack:
        key = stores.settings.braze_api_key
        workspace = stack.enter_context(braze.connected(segment.base_url, key, asking))
        place = history.Place(
            data_folder=stores.settings.data_folder,
            log_folder=stores.settings.log_folder,
            log=stores.open_log(stack),
            engine=open_engine("duckdb:", stores.lake),
            pause=list,
        )
        exporting = braze.Exporting(
            workspace=workspace,
            folder=folder,
            download=activation.download,
            sleep=time.sleep,
            waited=lambda _: None,
            patience_s=60.0,
        )
        found = braze.bring_segment(segment, place, exporting, now=story.now, told=lambda *_: None)
        return found.members


def live(story: Story, day: date, until: Callable[..., None]) -> None:
    """One day: it is decided and sent, customers do what they do, and that is taken in."""
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    rows = "select count(*)::int as n from outbox where day = %(day)s and state <> 'pending'"
    due = "select count(*)::int as n from outbox where state in ('pending', 'reserved', 'unknown')"
    decided = "select count(*)::int as n from outbox where day = %(day)s"
    story.tell(midnight + timedelta(hours=6))
    count = story.stores.state.rows
    until(lambda: count(decided, {"day": day})[0]["n"] > 0)
    for hour in (9, 18):
        story.tell(midnight + timedelta(hours=hour, minutes=1))
        until(lambda: count(rows, {"day": day})[0]["n"] > 0)
    until(lambda: count(due)[0]["n"] == 0)
    story.tell(midnight + timedelta(hours=23, minutes=59))
    story.post("react", {"day": day.isoformat()})
    until(lambda: pipeline.caught_up(story.stores))


def try_it(page: Page, story: Story) -> None:
    """Set it up, look at a message, send one to a tester, ask Braze, and start it."""
    place = f"{story.address}/use-cases/{NAME}"
    page.goto(f"{place}/edit")
    page.fill("input[name=control]", "30")
    page.locator("button[formaction='/use-cases/save']").first.press("Enter")
    page.wait_for_url(f"{place}/state")
    page.goto(f"{place}/preview")
    page.get_by_label("offer").select_option("tv_bundle")
    page.get_by_role("button", name="Show it").press("Enter")
    page.locator("dd", has_text="tv_bundle").first.wait_for()
    page.get_by_label("Email address").fill("tester@example.com")
    page.keyboard.press("Enter")
    page.locator("#sent").wait_for()
    page.goto(f"{story.address}/outbox")
    page.get_by_role("button", name="Ask Braze").press("Enter")
    page.locator("#look-answer", has_text="All is well in Braze.").wait_for()
    page.goto(f"{place}/state")
    page.get_by_role("button", name=f"Start, and send to up to {CUSTOMERS} people").press("Enter")
    page.get_by_text("It is live: it decides every day, and sends.").wait_for()


def numbers(page: Page, table: str) -> list[str]:
    """The last row of a table."""
    cells = page.locator(f"{table} tbody tr").last.locator("th, td")
    return [each.replace(",", "") for each in cells.all_inner_texts()]


def read_it(page: Page, story: Story) -> dict[str, Any]:
    """What the marketer reads in the end."""
    place = f"{story.address}/use-cases/{NAME}"
    found: dict[str, Any] = {}
    page.goto(place)
    found["answer"] = page.locator("p.answer").first.inner_text()
    page.get_by_role("link", name="Insights").press("Enter")
    page.wait_for_url(f"{place}/insights")
    found["insights"] = page.locator("main").inner_text()
    page.get_by_role("link", name="Decisions").press("Enter")
    page.wait_for_url(f"{place}/decisions")
    page.locator("main table tbody tr").first.get_by_role("link").first.press("Enter")
    page.wait_for_url("**/decisions/*")
    found["decision"] = page.locator("h1").inner_text()
    page.goto(f"{story.address}/outbox")
    found["outcomes"] = page.locator("#outcomes-table tbody tr").count()
    page.get_by_role("button", name="Ask Braze").press("Enter")
    page.locator("#counted-table").wait_for()
    found["counted"] = numbers(page, "#counted-table")
    return found


@pytest.mark.slow
def test_a_use_case_learns_from_what_the_customers_of_braze_do(
    story: Story, tmp_path: Path, until: Callable[..., None]
) -> None:
    complaints: list[str] = []
    assert bring(story, tmp_path / "export") == CUSTOMERS
    until(lambda: pipeline.caught_up(story.stores))
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.append(message.text))
        try_it(page, story)
        # The test send is in Braze and nowhere else.
        assert (story.get("sends")["sends"], story.states()) == (1, {})
        for place in range(DAYS):
            live(story, FIRST + timedelta(days=place), until)
        found = read_it(page, story)
    assert complaints == []
    treated = CUSTOMERS - CUSTOMERS * 3 // 10
    assert story.states() == {"sent": treated * DAYS}
    sends = story.get("sends")
    assert (sends["sends"], sends["most_per_customer_and_day"]) == (treated * DAYS + 1, 1)
    # Of the first days all that counts has come in: the report is of those, with its interval.
    assert f"over {DAYS - 2} mature days" in found["answer"]
    assert re.search(r"[+-][\d.]+ % orders per profile \(between .* and .*\)", found["answer"])
    assert "tv_bundle" in found["insights"]
    assert found["outcomes"] == DAYS
    # Braze counts by the id of each day's sends, which the test send has none of, and all opens and
    # clicks that it told us of.
    accepted, sent, opens, _, their_opens, clicks, _, their_clicks = map(int, found["counted"][1:])
    assert (accepted, sent) == (treated * DAYS, treated * DAYS)
    assert (opens, clicks) == (their_opens, their_clicks)
    assert min(opens, clicks) > 0
    # It learned: from day to day another policy has drawn.
    rows = story.stores.lake.read("decisions", ["day", "policy_version"]).to_pylist()
    assert len({row["policy_version"] for row in rows}) >= DAYS - 2
