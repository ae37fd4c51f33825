"""Whoever is forgotten is forgotten by what other rooms keep, too: consent, accounts, segments."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from opportune import activation, pipeline, privacy, profiles, project, segments, worker

ANA = "c000013"
NEEDLES = (ANA, "ana.maria@mail.example", "+4930901820", "visitor-0815-ana")
MOMENT = datetime(2026, 3, 4, 7, tzinfo=UTC)
DEFINITIONS = {
    "consent.toml": '[purposes.marketing]\nunknown = "yes"\ncategories = ["Advertising"]\n',
    "segments/buyers.toml": 'title = "Buyers"\nrule = {event = "Order Completed"}\n',
    "audiences/ads.toml": 'title = "Ads"\nsegments = ["buyers"]\n',
    "computed_traits/orders.toml": 'event = "Order Completed"\ncompute = "count"\n',
    "destinations/files.toml": 'title = "Files"\nconnector = "file"\nkinds = ["profile"]\n'
    'audiences = ["ads"]\n'
    'events = ["Order Completed"]\nproperties = ["revenue"]\ntraits = ["email"]\n',
}


@pytest.fixture
def told(life: Any, tmp_path: Path) -> Any:
    """A shop that keeps all that it can of Ana."""
    folder = tmp_path / "project"
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as shipped:
        shutil.copytree(shipped, folder)
    for name, text in DEFINITIONS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    state = life.stores.state
    project.apply(state, folder, now=MOMENT)
    segments.sync(state, now=MOMENT)
    segments.fill(life.stores, now=MOMENT)
    when = (MOMENT + timedelta(minutes=1)).isoformat()
    who = {"userId": ANA, "timestamp": when}
    life.send(
        {
            "type": "identify",
            "messageId": "i9",
            "traits": {"email": NEEDLES[1], "vip": True},
            **who,
        },
        {"type": "group", "messageId": "g9", "groupId": "acme", "traits": {"name": "Acme"}, **who},
        {
            **{"type": "track", "messageId": "t9", "event": "Order Completed", **who},
            "properties": {"revenue": 9.5},
            "context": {"consent": {"categoryPreferences": {"Advertising": True}}},
        },
        at=MOMENT + timedelta(minutes=1),
    )
    with closing(pipeline.Ingest(life.stores, worker.decoders(life.stores))) as ingest:
        ingest.catch_up()
    defined = project.read(state)
    profiles.compute(life.stores, defined.computed_traits.values(), now=MOMENT)
    publishing = activation.Publishing(
        audiences=defined.audiences,
        destinations=defined.destinations,
        segments=defined.segments,
        policies=defined.field_policies,
    )
    assert activation.publish(state, publishing, now=MOMENT)
    return life


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_who_is_forgotten_is_in_nothing_that_any_room_keeps(told: Any, mode: privacy.Mode) -> None:
    profile_id = profiles.get(told.stores.state, "user_id", ANA).profile_id
    tables = ("consent", "event_hour", "account_member", "computed_trait", "live_event")
    tables += ("audience_published", "destination_profile", "telling", "destination_told")
    empty = [
        table
        for table in tables
        if told.stores.state.rows(f"select count(*)::int as n from {table}")[0]["n"] == 0  # noqa: S608
    ]
    assert empty == []
    needles = (*NEEDLES, f"{profile_id & (2**64 - 1):016x}", str(profile_id))
    asked = told.ask(mode=mode)
    assert told.carry_out() == []
    told.stores.state.rows("update outbox set state = 'sent' where key like '%/forgotten:%'")
    assert told.carry_out() == [asked.request_id]
    done = privacy.request(told.stores.state, asked.request_id)
    assert told.found(*needles) == []
    assert (done.state, done.error) == ("done", None)
    # Nobody lost more than was asked for.
    assert told.stores.state.rows("select count(*)::int as n from computed_trait")[0]["n"] > 5
