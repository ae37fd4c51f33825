from __future__ import annotations

import http.client
import importlib.util
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import ModuleType
from urllib.parse import urlencode

import pytest
import uvicorn
from starlette.applications import Starlette

from opportune import api, project, segments, web
from opportune.settings import Settings
from opportune.storage import Stores, open_stores

HISTORY = Path(__file__).parents[1] / "common" / "history.py"
SHOP = Path(__file__).with_name("shop.py")
TOKEN = re.compile(r'name="token" value="([0-9a-f]+)"')


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def history() -> ModuleType:
    return _load("tests_history", HISTORY)


@pytest.fixture(scope="session")
def shop() -> ModuleType:
    return _load("tests_web_shop", SHOP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running server, and the cookies of one browser."""

    address: str
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, *, method: str = "GET") -> Page:
        """Ask for ``path``."""
        return self._ask(method, path, "", {})

    def post(
        self,
        path: str,
        fields: dict[str, str] | list[tuple[str, str]],
        *,
        headers: dict[str, str] | None = None,
    ) -> Page:
        """Send a form."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(fields), {**kind, **(headers or {})})

    def send(self, page: str, path: str, fields: dict[str, str]) -> Page:
        """Send a form of the page at ``page``, with the token that it has."""
        found = TOKEN.search(self.get(page).text)
        assert found is not None
        return self.post(path, {**fields, "token": found[1]})

    def _ask(self, method: str, path: str, body: str, headers: dict[str, str]) -> Page:
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            kept = {"Cookie": cookies} if cookies else {}
            connection.request(method, path, body.encode(), {**kept, **headers})
            answer = connection.getresponse()
            text = answer.read().decode()
            given = {name.lower(): value for name, value in answer.getheaders()}
            if "set-cookie" in given:
                name, _, value = given["set-cookie"].partition(";")[0].partition("=")
                self.cookies[name] = value
            return Page(status=answer.status, headers=given, text=text)
        finally:
            connection.close()


@contextmanager
def _serve(stores: Stores, *, clock: Callable[[], datetime]) -> Iterator[Site]:
    asked = api.routes(stores, clock=clock, report_page=web.report_page)
    application = Starlette(routes=[*asked, *web.routes(stores, clock=clock)])
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
        yield Site(address=f"http://127.0.0.1:{listening.getsockname()[1]}")
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def serve() -> Callable[..., AbstractContextManager[Site]]:
    """Start a server over other stores."""
    return _serve


@pytest.fixture
def apply(stores: Stores, history: ModuleType, tmp_path: Path) -> Callable[..., None]:
    """Write a project folder with use cases of the titles given and apply it."""

    def written(titles: dict[str, str], reported: bool = False) -> None:
        folder = tmp_path / "project"
        for place in ("metrics", "segments", "use_cases"):
            (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / "metrics" / "orders.toml").write_text(
            'event = "Order Completed"\nvalue = "count"\nunit = "orders"\nwindow_days = 3\n'
        )
        if reported:
            (folder / "metrics" / "all.toml").write_text(
                'title = "Orders of all"\nformula = "sum(orders) * 2"\n'
            )
        (folder / "segments" / "everybody.toml").write_text(
            'rule = { trait = "tenure_months", at_least = 0 }\n'
        )
        for name, title in titles.items():
            more = 'report_metrics = ["all"]\n' if reported else ""
            text = more + _use_case(title, history.OPTIONS)
            (folder / "use_cases" / f"{name}.toml").write_text(text)
        project.apply(stores.state, folder, now=history.NOW)

    return written


def _use_case(title: str, options: dict[str, tuple[str, ...]]) -> str:
    dimensions = "".join(
        f'[[dimensions]]\nname = "{name}"\noptions = ['
        + ", ".join(f'{{ name = "{option}" }}' for option in names)
        + "]\n"
        for name, names in options.items()
    )
    return (
        f"title = {json.dumps(title)}\n"
        'success_metric = "orders"\n'
        'features = ["tenure_months", "has_tv", { trait = "plan", one_of = ["basic", "plus"] }]\n'
        '[audience]\nsegments = ["everybody"]\n[groups]\ncontrol_share = 0.2\n'
        '[activation]\nconnector = "braze"\ncampaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"\n'
        f'base_url = "http://127.0.0.1:8421"\n{dimensions}'
    )


@pytest.fixture
def site(stores: Stores, history: ModuleType) -> Iterator[Site]:
    """The pages and the interface over the stores of the test."""
    with _serve(stores, clock=lambda: history.NOW) as running:
        yield running


@pytest.fixture
def demo(stores: Stores) -> None:
    """Make the data a demo's."""
    captured = [{"day": f"2026-01-{day:02}", "share": (day - 2) / 10} for day in range(1, 11)]
    file = stores.settings.data_folder / "demo.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"captured": captured, "seed": 1}))


PEOPLE = 120
SEGMENTS: dict[str, dict[str, object]] = {
    "gold": {"trait": "plan", "is": "gold"},
    "buyers": {"event": "Order Completed", "within": {"days": 30}},
    "gold_buyers": {"all": [{"segment": "gold"}, {"segment": "buyers"}]},
}


@pytest.fixture(scope="session")
def shop_stores(
    fresh_database: Callable[..., AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
    shop: ModuleType,
    history: ModuleType,
) -> Iterator[Stores]:
    """A shop with people, segments, consent and refusals, for tests that only look."""
    folder = tmp_path_factory.mktemp("shop")
    with fresh_database() as url:
        stores = open_stores(Settings(data_folder=folder / "data", database_url=url), now=shop.NOW)
        _define(stores, folder / "project", shop, history)
        shop.send(stores, [*shop.messages(PEOPLE), *shop.hostile(), *shop.refused()])
        for name, rule in SEGMENTS.items():
            body = {"title": name.replace("_", " ").capitalize(), "rule": rule}
            segments.define(stores.state, name, body, now=shop.NOW)
        hostile = {"title": shop.HOSTILE, "rule": {"trait": shop.HOSTILE, "is": shop.HOSTILE}}
        segments.define(stores.state, "hostile", hostile, now=shop.NOW)
        segments.sync(stores.state, now=shop.NOW)
        segments.fill(stores, now=shop.NOW)
        yield stores
        stores.close()


def _define(stores: Stores, folder: Path, shop: ModuleType, history: ModuleType) -> None:
    for place in ("metrics", "segments", "use_cases"):
        (folder / place).mkdir(parents=True)
    (folder / "metrics" / "orders.toml").write_text(
        'event = "Order Completed"\nvalue = "count"\nunit = "orders"\nwindow_days = 3\n'
    )
    (folder / "segments" / "everybody.toml").write_text('rule = { trait = "age", at_least = 0 }\n')
    written = _use_case(shop.HOSTILE, history.OPTIONS)
    (folder / "use_cases" / "next_offer.toml").write_text(written)
    (folder / "consent.toml").write_text(
        'sends = "marketing"\n[purposes.marketing]\ntitle = "Marketing <b>"\nunknown = "no"\n'
        'traits = { newsletter = "email" }\n'
    )
    (folder / "opportune.toml").write_text('[traits]\nsensitive = ["income"]\n')
    project.apply(stores.state, folder, now=shop.NOW)


@pytest.fixture(scope="session")
def shop_site(shop_stores: Stores, shop: ModuleType) -> Iterator[Site]:
    """The pages over the shop."""
    with _serve(shop_stores, clock=lambda: shop.NOW) as running:
        yield running
