"""Audiences: segments in minus segments out, read and checked."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opportune import project, segments
from opportune.segments import Audience, parse_audiences
from opportune.storage import Stores

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"

PLUS = Audience(name="reach", title="Reach", segments=("buyers",), minus=("out",), labels=("ads",))


def test_an_audience_has_whoever_is_in_and_not_out(shop: Any) -> None:
    shop.define("buyers", {"event": "Order Completed"})
    shop.define("out", {"trait": "newsletter", "is": False})
    shop.follow()
    bought = [{"event": "Order Completed", "userId": each} for each in ("ada", "bob")]
    no = {"type": "identify", "userId": "bob", "traits": {"newsletter": False}}
    shop.say(*bought, {"event": "Order Completed", "anonymousId": "a"}, no)
    assert segments.audience_sizes(shop.stores.state, {"reach": PLUS}) == {"reach": 2}


def test_an_audience_is_read_and_checked() -> None:
    problems: list[str] = []
    body = {"title": "Reach", "segments": ["buyers"], "minus": ["out"], "labels": ["ads"]}
    known = dict.fromkeys(("buyers", "out"))
    assert parse_audiences({"reach": body, "broken": None}, known, problems) == {"reach": PLUS}
    assert problems == []
    parse_audiences({"reach": {"segments": []}}, known, problems)
    assert problems == ["audiences/reach.toml: segments: [] given, must name one or more."]
    problems.clear()
    parse_audiences({"reach": {"segments": ["buyer"], "minsu": []}}, known, problems)
    assert problems == [
        "audiences/reach.toml: minsu: unknown key. Did you mean 'minus'? Allowed: channel, labels, "
        "minus, purpose, segments, title.",
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
