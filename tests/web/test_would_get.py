"""The page of a person says what would be decided now, and keeps nothing of it."""

from __future__ import annotations

import html
from collections.abc import Callable
from types import ModuleType
from typing import Any

from opportune import pipeline, profiles, project
from opportune.storage import Stores


def test_a_person_sees_what_each_use_case_would_choose(
    stores: Stores,
    site: Any,
    apply: Callable[..., None],
    take_in: Callable[..., None],
    history: ModuleType,
) -> None:
    apply({"next_offer": "Next <offer>", "later": "Not begun"})
    told = {"type": "identify", "timestamp": history.NOW.isoformat()}
    take_in(
        {**told, "userId": "ana", "messageId": "1", "traits": {"tenure_months": 3}},
        received_at=history.NOW,
    )
    definitions = project.read(stores.state)
    pipeline.run_day(stores, definitions, "next_offer", history.NOW.date(), now=history.NOW)
    profile_id = profiles.get(stores.state, "user_id", "ana").profile_id
    page = site.get(f"/people/{profile_id}")
    assert page.status == 200
    section = page.text.split('id="would-get"')[1].split("</section>")[0]
    row = stores.lake.read("decisions").to_pylist()[0]
    chosen = [
        f"{name}: <b>{option}</b>"
        for name, option in zip(("offer", "channel", "hour"), row["action"], strict=True)
    ]
    assert ", ".join(chosen) in section
    assert f'<span class="tag">{row["variant"]}</span>' in section
    assert html.escape("Next <offer>") in section
    assert "Use case &#39;later&#39; has no policy in version 1 yet" in section
    assert stores.state.rows("select place from asked_decision") == []
