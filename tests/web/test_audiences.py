"""The page of segments says which audience goes where."""

from __future__ import annotations

import re
from typing import Any

from opportune.storage import Stores


def test_the_page_of_segments_says_which_audience_goes_where(site: Any, stores: Stores) -> None:
    assert 'id="audiences"' not in site.get("/segments").text
    stores.state.rows(
        "insert into audience_publication"
        " (audience, destination, segments, minus, channel, assumed, refused, filled, published_at)"
        " values ('reach', 'ads', '{vip}', '{}', '*', false, '<b>No health.', '{}', now()),"
        " ('reach', 'crm', '{vip}', '{}', '*', false, null, null, null)"
    )
    stores.state.rows(
        "insert into audience_published"
        " select publication_id, n, n, 'user_id', 'u' || n, now()"
        " from audience_publication, generate_series(1, 1200) as n where destination = 'ads'"
    )
    page = site.get("/segments")
    assert page.status == 200
    table = page.text.partition('<table id="audiences">')[2].partition("</table>")[0]
    rows = [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in table.split("<tr>")[2:]]
    assert rows[0].startswith("reach ads 1,200 ")
    assert rows[0].endswith("Nobody is added: &lt;b&gt;No health.")
    assert rows[1] == "reach crm 0 being filled \N{EN DASH}"
