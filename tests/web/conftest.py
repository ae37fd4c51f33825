from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest
import uvicorn
from starlette.applications import Starlette

from opportune import api, project, web
from opportune.storage import Stores

HISTORY = Path(__file__).parents[1] / "reports" / "history.py"


@pytest.fixture(scope="session")
def history() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tests_history", HISTORY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tests_history"] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running server."""

    address: str

    def get(self, path: str, *, method: str = "GET") -> Page:
        """Ask for ``path``."""
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read().decode()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Page(status=answer.status, headers=headers, text=text)
        finally:
            connection.close()


@contextmanager
def _serve(stores: Stores, *, clock: Callable[[], datetime]) -> Iterator[Site]:
    application = Starlette(
        routes=[*api.routes(stores, clock=clock), *web.routes(stores, clock=clock)]
    )
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

    def written(titles: dict[str, str]) -> None:
        folder = tmp_path / "project"
        for place in ("metrics", "segments", "use_cases"):
            (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / "metrics" / "orders.toml").write_text(
            'event = "Order Completed"\nvalue = "count"\nunit = "orders"\nwindow_days = 3\n'
        )
        (folder / "segments" / "everybody.toml").write_text(
            'rule = { trait = "tenure_months", at_least = 0 }\n'
        )
        for name, title in titles.items():
            (folder / "use_cases" / f"{name}.toml").write_text(_use_case(title, history.OPTIONS))
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
