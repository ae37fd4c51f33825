"""Over HTTP and on the page: what another choice would have earned; groups beside each other."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]
ADDRESS = "/use-cases/next_offer/what-if"
DIMENSIONS = {
    "offer": ("speed_upgrade", "tv_bundle", "no_offer"),
    "channel": ("email", "sms"),
    "hour": ("09", "18"),
}


def plain(page: str) -> str:
    return html.unescape(" ".join(re.sub("<[^>]*>", " ", page).split()))


def test_api_and_page_give_the_same_estimate(
    ask: Ask, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=500))
    fixed = {"offer": "tv_bundle", "channel": "email", "hour": "09"}
    status, told = ask(f"/api{ADDRESS}", {"policy": "fixed", "action": fixed})
    # 400 people of seven mature days; a fifth of all are in control.
    assert (status, told["decisions"], told["days"]) == (200, 2800, 7)
    assert told["estimator"] in {"DR", "PI-DR"}
    page = ask(ADDRESS)[1]
    assert page.count('name="keep"') == page.count(" checked> ") - 1 == 7
    keep = [f"{name}={option}" for name, options in DIMENSIONS.items() for option in options]
    query = "&".join(f"keep={each}" for each in keep)
    always = "&".join(f"always-{name}={option}" for name, option in fixed.items())
    said = plain(ask(f"{ADDRESS}?{query}&plays=fixed&{always}")[1])
    assert told["answer"] in said
    assert f"{told['value']['value']:.4g}" in said
    assert "over 2,800 decisions of version 1 from 2026-01-01 to 2026-01-07" in said
    query = "&".join(f"keep={each}" for each in keep if not each.startswith("hour"))
    assert "Every option of 'hour' is taken away" in plain(ask(f"{ADDRESS}?{query}")[1])
    without = {"policy": "uniform", "without": [{"dimension": "offer", "option": "no_offer"}]}
    assert ask(f"/api{ADDRESS}", without)[1]["plays"] == "every option alike"
    assert ask(f"/api{ADDRESS}", {"policy": "greedy"})[1]["code"] == "not_comparable"
    status, refused = ask(f"/api{ADDRESS}", {"definition": {"title": "x"}})
    assert (status, refused["code"]) == (400, "invalid_definition")
    groups = plain(ask("/use-cases/next_offer/groups")[1])
    assert "treatment 400 80.0 %, 80.0 %" in groups
    assert "control 100 20.0 %, 20.0 %" in groups
    assert "0 of 0 profiles were sent something by two use cases or more" in groups
