"""Audiences: segments in minus segments out, and what a destination is still to be told."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opportune import project, segments
from opportune.segments import Addressed, Audience, AudienceChanges, parse_audiences
from opportune.storage import Stores

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"

PLUS = Audience(name="reach", title="Reach", segments=("buyers",), minus=("out",), labels=("ads",))


def user(name: str) -> Addressed:
    return Addressed(kind="user_id", value=name)


def changes(shop: Any, *, limit: int = 1_000) -> AudienceChanges:
    with shop.stores.state.transaction() as connection:
        return segments.audience_changes(connection, PLUS, destination="ads", limit=limit)


def tell(shop: Any, told: AudienceChanges) -> None:
    with shop.stores.state.transaction() as connection:
        segments.published(connection, PLUS, told, destination="ads", now=shop.now)


def test_a_destination_is_told_what_changed_since_it_was_told_last(shop: Any) -> None:
    shop.define("buyers", {"event": "Order Completed"})
    shop.define("out", {"trait": "newsletter", "is": False})
    shop.follow()
    orders = [
        {"event": "Order Completed", "userId": "ada"},
        {"event": "Order Completed", "userId": "bob"},
        {"event": "Order Completed", "anonymousId": "a"},
    ]
    no = {"type": "identify", "userId": "bob", "traits": {"newsletter": False}}
    shop.say(*orders, no)
    assert segments.audience_sizes(shop.stores.state, {"reach": PLUS}) == {"reach": 2}
    visitor = Addressed(kind="anonymous_id", value="a")
    told = AudienceChanges(adds=(visitor, user("ada")), removes=())
    assert (changes(shop), changes(shop)) == (told, told)
    assert changes(shop, limit=1).adds == (visitor,)
    for _ in range(2):
        tell(shop, told)
        assert changes(shop) == AudienceChanges(adds=(), removes=())
    shop.say(
        {"type": "identify", "userId": "bob", "traits": {"newsletter": True}},
        {"type": "identify", "userId": "ada", "traits": {"newsletter": False}},
        {"event": "Login", "userId": "carl", "anonymousId": "a"},
    )
    told = AudienceChanges(adds=(user("bob"), user("carl")), removes=(visitor, user("ada")))
    assert changes(shop) == told
    tell(shop, told)
    assert changes(shop) == AudienceChanges(adds=(), removes=())
    with shop.stores.state.transaction() as connection:
        other = segments.audience_changes(connection, PLUS, destination="mail")
    assert other.adds == (user("bob"), user("carl"))


def test_an_audience_is_read_and_checked() -> None:
    problems: list[str] = []
    body = {"title": "Reach", "segments": ["buyers"], "minus": ["out"], "labels": ["ads"]}
    known = dict.fromkeys(("buyers", "out"))
    assert parse_audiences({"reach": body, "broken": None}, known, problems) == {"reach": PLUS}
    assert problems == []
    parse_audiences({"reach": {"segments": ["buyer"], "minsu": []}}, known, problems)
    assert problems == [
        "audiences/reach.toml: minsu: unknown key. Did you mean 'minus'? Allowed: labels, minus, "
        "segments, title.",
        "audiences/reach.toml: segments: no segment 'buyer'. Did you mean 'buyers'? Allowed: "
        "buyers, out.",
    ]


def test_audiences_are_applied_with_the_project(stores: Stores, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "shop")
    file = tmp_path / "shop" / "audiences" / "reach.toml"
    file.parent.mkdir(exist_ok=True)
    name = sorted(project.load(tmp_path / "shop").segments)[0]
    file.write_text(f'segments = ["{name}"]\nlabels = ["ads"]\n')
    now = datetime(2026, 3, 1, tzinfo=UTC)
    written = project.apply(stores.state, tmp_path / "shop", now=now)
    assert "audience/reach version 1" in written
    found = project.read(stores.state).audiences["reach"]
    assert (found.segments, found.minus, found.labels) == ((name,), (), ("ads",))
    assert segments.audience_sizes(stores.state, {"reach": found}) == {"reach": 0}
