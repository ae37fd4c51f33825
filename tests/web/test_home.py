"""Home says what changed and what needs somebody, with the numbers of the pages behind it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

from opportune.storage import Stores


def plain(page: str) -> str:
    return html.unescape(" ".join(re.sub("<[^>]*>", " ", page).split()))


def test_home_says_what_changed_and_what_needs_somebody(
    site: Any, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "Next offer", "win_back": "Win back"})
    history.write(stores, history.past())
    page = site.get("/").text
    said = plain(page)
    listed = page.partition('id="story-list"')[2].partition("</ul>")[0]
    stories = re.findall(r'<li><a href="([^"]+)">([^<]+)</a></li>', listed)
    assert stories[0][0] == "/use-cases/next_offer"
    assert re.fullmatch(
        r"Next offer earned [\d,.]+ orders beyond its control group \(between .+ and .+\)\.",
        stories[0][1],
    )
    # 1,600 people of treatment on each of six days, and on four before.
    assert stories[1][1] == (
        "9,600 messages were decided to be sent in the last 7 days, after 6,400 in the week before."
    )
    assert stories[2][1] == "Win back: Too early to say: nothing was decided yet."
    assert "Win back is live and has decided nothing yet." in said
    assert "2 messages could not be sent." in said
    assert "Version 1 applied" in said
    needs = len(re.findall(r'<li class="card">', page))
    assert f"{needs} things need somebody." in said
