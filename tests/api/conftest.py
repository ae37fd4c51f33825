"""The interface is tested over the same server and the same past as the pages."""

from __future__ import annotations

import http.client
import importlib.util
import json
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_pages = _load("tests_web", Path(__file__).parents[1] / "web" / "conftest.py")

apply = _pages.apply
history = _pages.history
serve = _pages.serve
site = _pages.site


@pytest.fixture
def ask(site: Any) -> Callable[..., tuple[int, Any]]:
    """Ask an address, with a body as a POST; what answers in JSON is read."""

    def asked(path: str, body: object = None) -> tuple[int, Any]:
        address = site.address.removeprefix("http://")
        with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
            headers = {"Content-Type": "application/json"}
            method, sent = ("GET", None) if body is None else ("POST", json.dumps(body))
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            kind = answer.headers["Content-Type"]
            return answer.status, json.loads(text) if "json" in kind else text

    return asked
