"""The worker publishes audiences, and has destinations told before it forgets anybody."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from opportune import privacy, project
from opportune.documents import InvalidDefinition

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
# Nothing is decided before six.
TWO = MIDNIGHT + timedelta(hours=2)
DEFINITIONS = {
    "segments/known.toml": 'title = "Known"\nrule = {trait = "plan", exists = true}\n',
    "segments/out.toml": 'title = "Out"\nrule = {event = "Left"}\n',
    "audiences/reach.toml": 'segments = ["known"]\nminus = ["out"]\n',
    "destinations/lines.toml": 'title = "x"\nconnector = "file"\naudiences = ["reach"]\n',
}


def apply(market: Any, folder: Path, **changed: str) -> None:
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as shipped:
        shutil.copytree(shipped, folder, dirs_exist_ok=True)
    for name, text in {**DEFINITIONS, **changed}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    project.apply(market.stores.state, folder, now=MIDNIGHT)


def lines(market: Any) -> list[dict[str, Any]]:
    """The messages of all parts; those that are being written do not end in .jsonl."""
    parts = sorted((market.stores.settings.outgoing_folder / "lines").glob("*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]


def test_an_audience_is_published_and_whoever_is_forgotten_is_deleted_there(
    market: Any, until: Any, tmp_path: Path
) -> None:
    apply(market, tmp_path)
    market.register(6)
    with market.working(lambda: TWO):
        until(lambda: len(lines(market)) == 6)
        asked = privacy.Asked(request_id="r1", mode="erase", by="Ann", now=TWO)
        privacy.ask(market.stores.state, "user_id", lines(market)[0]["userId"], asked)
        until(lambda: privacy.request(market.stores.state, "r1").state == "done")
    first, *_, last = lines(market)
    assert {each["event"] for each in lines(market)[:6]} == {"Audience Entered"}
    assert (last["event"], last["userId"], len(lines(market))) == (
        "User Deleted",
        first["userId"],
        7,
    )
    assert privacy.request(market.stores.state, "r1").done["told.lines"] == 1
    assert market.outbox("destination/lines") == {"sent": 5}
    assert market.count("audience_published") == 5


def test_an_audience_that_reads_what_may_not_be_told_is_refused(
    market: Any, tmp_path: Path
) -> None:
    ill = 'title = "Ill"\nrule = {trait = "diagnosis", is = "flu"}\n'
    lines = 'title = "x"\nconnector = "file"\naudiences = ["raech"]\nonly = "nobody"\n'
    with pytest.raises(InvalidDefinition) as refused:
        apply(market, tmp_path, **{"segments/out.toml": ill})
    assert list(refused.value.problems) == [
        "audiences/reach.toml: published to 'lines': trait 'diagnosis' is sensitive (by its name), "
        "and policy 'sensitive-data' forbids sensitive fields for audiences. Use another field, or "
        "declare it free in opportune.toml if that is a mistake."
    ]
    with pytest.raises(InvalidDefinition) as refused:
        apply(
            market,
            tmp_path,
            **{
                "destinations/lines.toml": lines,
                "audiences/reach.toml": 'segments = ["known"]\npurpose = "ads"\n',
            },
        )
    first, second, third = refused.value.problems
    assert first.startswith("destinations/lines.toml: audiences: no audience 'raech'. Did you mean")
    assert second.startswith("destinations/lines.toml: only: no segment 'nobody'.")
    assert third.startswith("audiences/reach.toml: purpose: consent.toml has no purpose 'ads'.")
    assert market.count("definition") == 0
