"""What a combination would say, on a page, and a test send of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from types import ModuleType
from typing import Any

from opportune.storage import Stores

PAGE = "/use-cases/next_offer/preview"
SEND = "/use-cases/next_offer/test-send"


def test_a_combination_is_shown_and_sent_to_a_tester(
    apply: Callable[..., None],
    stores: Stores,
    sandbox: Any,
    api_key: str,
    serve: Callable[..., AbstractContextManager[Any]],
    history: ModuleType,
) -> None:
    apply({"next_offer": "Next offer"})
    moved = "update definition set body = replace(body::text, '127.0.0.1:8421', %(host)s)::json"
    stores.state.rows(moved, {"host": f"127.0.0.1:{sandbox.port}"})
    option = history.OPTIONS["offer"][1]
    with serve(stores, clock=lambda: history.NOW) as site:
        assert "OPPORTUNE_BRAZE_API_KEY is not set" in site.get(PAGE).text
    keyed = replace(stores, settings=replace(stores.settings, braze_api_key=api_key))
    with serve(keyed, clock=lambda: history.NOW) as site:
        page = site.get(f"{PAGE}?choose-offer={option}").text
        assert f"<option selected>{option}</option>" in page
        assert f"--option offer={option}" in page
        assert re.search(f"<dt>Subject</dt><dd>[^<]*{option}", page)
        assert "Facts about the customer stay empty" in page
        assert site.get(f"{PAGE}?choose-offer=nothing").status == 400
        form = {"to": "tester@example.com", "choose-offer": option}
        done = site.send(PAGE, SEND, form)
        assert done.status == 303
        assert f"choose-offer={option}" in done.headers["location"]
        shown = site.get(done.headers["location"].partition("#")[0]).text
        assert "Test send made." in shown
        assert "tester@example.com" not in done.headers["location"] + shown
        assert site.send(PAGE, SEND, {"to": "c000001"}).status == 400
    assert sandbox.sends()[0] == 1
    ((offer, _),) = [(each[2], each) for each in sandbox.messages()]
    assert f'"offer": "{option}"' in offer
