"""What was forgotten stays away: late, sent again or restored; who comes back begins anew."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from opportune import privacy, profiles
from opportune.storage import SegmentLog

ANA = "c000010"
EMAIL = "ana.maria@mail.example"
VISITOR = "visitor-0815-ana"
AFTER = datetime(2026, 3, 4, 7, tzinfo=UTC)
LATER = AFTER + timedelta(hours=1)


def seen(at: datetime, message_id: str, **who: object) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Seen",
        "messageId": message_id,
        "timestamp": at.isoformat(),
        **who,
    }


def events_of(life: Any, event: str = "Seen") -> list[dict[str, Any]]:
    return [row for row in life.stores.lake.read("events").to_pylist() if row["event"] == event]


@pytest.mark.parametrize(
    "who",
    [
        {"userId": ANA},
        {"anonymousId": VISITOR},
        {
            "anonymousId": "another device",
            "context": {"traits": {"email": "Ana.Maria@mail.example"}},
        },
        {
            "anonymousId": "a third",
            "context": {
                "externalIds": [
                    {
                        "id": "+4930901820",
                        "type": "phone",
                        "collection": "users",
                        "encoding": "none",
                    }
                ]
            },
        },
    ],
    ids=["user", "visitor", "address", "external id"],
)
def test_what_arrives_late_is_refused_and_leaves_no_trace(
    life: Any, who: dict[str, object]
) -> None:
    life.forget()
    life.send(
        seen(AFTER - timedelta(hours=2), "late", **who),
        seen(LATER, "o", userId="c000001"),
        at=LATER,
    )
    life.take_in()
    assert [row["message_id"] for row in events_of(life)] == ["o"]
    assert life.found(ANA, EMAIL, VISITOR, "4930901820", "another device", "a third") == []
    refused = life.stores.lake.read("rejects").to_pylist()
    told = [
        (row["code"], row["message_id"], row["payload"])
        for row in refused
        if row["code"] == "forgotten"
    ]
    assert told == [("forgotten", None, "")]


def test_who_comes_back_begins_anew(life: Any) -> None:
    life.forget()
    life.send(
        {
            "type": "identify",
            "messageId": "back",
            "userId": ANA,
            "timestamp": LATER.isoformat(),
            "traits": {"plan": "new"},
        },
        at=LATER,
    )
    life.take_in()
    found = profiles.get(life.stores.state, "user_id", ANA)
    assert (found.traits, found.first_seen_at) == ({"plan": "new"}, LATER)
    assert found.identifiers == (("user_id", ANA),)
    assert (
        life.stores.state.rows(
            "select 1 from segment_membership where profile_id = %(id)s", {"id": found.profile_id}
        )
        == []
    )


def test_an_open_of_an_old_message_is_no_way_back(life: Any) -> None:
    life.forget()
    opened = {
        **seen(LATER, "open", userId=ANA),
        "properties": {"decision_id": "next-best-offer:20260302:00000000000000aa"},
    }
    life.send(opened, at=LATER)
    life.take_in()
    assert events_of(life) == []
    with pytest.raises(profiles.UnknownProfile):
        profiles.get(life.stores.state, "user_id", ANA)


def test_events_waiting_in_the_log_are_erased_with_the_rest(life: Any) -> None:
    life.send(
        seen(AFTER - timedelta(minutes=1), "w", anonymousId="new device", userId=ANA), at=AFTER
    )
    life.forget()
    assert life.found(ANA, "new device") == []


def test_a_segment_that_is_being_written_is_blanked_and_goes_on(life: Any) -> None:
    log = SegmentLog(life.stores.settings.log_folder)
    send = lambda **told: log.append(_frame(seen(AFTER - timedelta(minutes=1), **told))).result()  # noqa: E731
    send(message_id="one", userId=ANA)
    send(message_id="two", userId="c000002")
    life.forget()
    assert life.found(ANA) == []
    send(message_id="three", userId="c000003")
    log.close()
    life.take_in()
    assert sorted(row["message_id"] for row in events_of(life)) == ["three", "two"]


def _frame(*messages: dict[str, object]) -> Any:
    from opportune.storage import Frame

    body = msgspec.json.encode({"batch": messages})
    return Frame(
        received_at_us=int(AFTER.timestamp() * 1e6), source_id="shop", kind="batch", body=body
    )


def test_what_a_restored_lake_brings_back_is_erased_again(life: Any) -> None:
    lake = life.stores.settings.lake_folder
    shutil.copytree(lake, lake.with_name("backup"))
    rows = life.stores.lake.read("events").num_rows
    backup = shutil.move(lake.with_name("backup"), life.stores.settings.data_folder.parent / "kept")
    life.forget()
    shutil.rmtree(lake)
    shutil.copytree(backup, lake)
    life.forget_again()
    assert life.found(ANA, EMAIL, VISITOR) == []
    assert life.stores.lake.read("events").num_rows < rows


def test_what_a_restored_database_brings_back_is_erased_again(life: Any) -> None:
    with life.another() as before:
        life.forget()
        # The database of before the request, over the data folder of after it.
        suppressed = life.stores.settings.data_folder / "forgotten"
        shutil.copytree(suppressed, before.stores.settings.data_folder / "forgotten")
        before.forget_again(lake=False)
        assert before.found(ANA, EMAIL, VISITOR) == []
        assert [each.asked_by for each in privacy.requests(before.stores.state)] == [
            "suppression list"
        ]


def test_who_came_back_is_not_taken_for_a_backup(life: Any) -> None:
    life.forget()
    life.send(seen(LATER, "back", userId=ANA), at=LATER)
    life.take_in()
    assert life.forget_again() == 0
    assert [row["user_id"] for row in events_of(life)] == [ANA]


def test_the_list_survives_without_either_file_or_state_and_holds_no_value(life: Any) -> None:
    life.forget()
    folder = life.stores.settings.data_folder
    known = privacy.read_suppressed(folder, life.stores.state)
    assert len(known) == 5
    shutil.rmtree(folder / "forgotten")
    assert privacy.read_suppressed(folder, life.stores.state) == known
    life.stores.state.rows("delete from privacy_suppressed")
    assert sorted(privacy.read_suppressed(folder, life.stores.state), key=str) == sorted(
        known, key=str
    )
    with (folder / "forgotten" / "suppressed.jsonl").open("ab") as torn:
        torn.write(b'{"identifier_hash": "ab')
    assert len(privacy.read_suppressed(folder, life.stores.state)) == 5
    lines = (folder / "forgotten" / "suppressed.jsonl").read_text().splitlines()
    assert set(json.loads(lines[0])) == {"identifier_hash", "salt", "forgotten_at_us"}
