"""Whoever is forgotten is nowhere any more, and what was measured stays what it was."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from opportune import privacy, profiles, project, reports

ANA = "c000013"
NEEDLES = (ANA, "ana.maria@mail.example", "901-820", "+4930901820", "visitor-0815-ana")


def profile_id_of(life: Any) -> int:
    return profiles.get(life.stores.state, "user_id", ANA).profile_id


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_who_is_forgotten_is_in_no_file_and_no_table(life: Any, mode: privacy.Mode) -> None:
    profile_id = profile_id_of(life)
    needles = (*NEEDLES, f"{profile_id & (2**64 - 1):016x}", str(profile_id))
    assert len(life.found(*needles)) > 20
    done = life.forget(mode=mode)
    assert life.found(*needles) == []
    assert (done.state, done.step, done.error, done.done_at is not None) == (
        "done",
        None,
        None,
        True,
    )
    assert done.proof is not None
    proof: Any = done.proof
    assert [proof[part]["hits"] for part in ("lake", "log", "state", "other_files")] == [0] * 4
    assert proof["lake"]["files"] > 5
    assert proof["state"]["tables"] > 10
    with pytest.raises(profiles.UnknownProfile):
        profiles.get(life.stores.state, "user_id", ANA)


def rounded(told: object) -> object:
    """Sums of floats depend on their order in the last digits."""
    if isinstance(told, dict):
        return {name: rounded(each) for name, each in told.items()}
    if isinstance(told, list):
        return [rounded(each) for each in told]
    return float(f"{told:.12g}") if isinstance(told, float) else told


def measured(life: Any) -> dict[str, Any]:
    told: Any = rounded(reports.to_document(life.report()))
    # Somebody who is forgotten is not sent what was due.
    sent = [
        each
        for each in reports.delivery_counts(life.stores.state, told["use_case"])
        if each.state == "sent"
    ]
    return {**told, "deliveries": sent}


def test_reports_say_the_same_when_somebody_was_made_anonymous(life: Any) -> None:
    before = measured(life)
    assert before["mature_days"] == 2
    assert before["deliveries"]
    life.forget(mode="anonymise")
    assert measured(life) == before


def test_what_is_measured_stays_when_somebody_was_erased(life: Any) -> None:
    before = measured(life)
    life.forget(mode="erase")
    after = measured(life)
    assert {k: v for k, v in after.items() if k != "days"} == {
        k: v for k, v in before.items() if k != "days"
    }
    mature = [day["mature"] for day in before["days"]]
    assert mature == [True, True, False, False]
    # Days that are not measured yet lose a decision: without the outcome, it would count as none.
    assert after["days"][:2] == before["days"][:2]
    decisions = [
        [day[variant]["decisions"] for variant in ("treatment", "control")]
        for told in (before, after)
        for day in told["days"]
    ]
    lost = [sum(then) - sum(now) for then, now in zip(decisions[:4], decisions[4:], strict=True)]
    assert lost == [0, 0, 1, 1]


def reported(life: Any) -> list[object]:
    """What is summed up of the use case, as whoever looks is told."""
    defined = project.read(life.stores.state)
    use_case = defined.use_case("next-best-offer")
    metric = defined.metric_of(use_case)
    insights = reports.insights(life.stores, use_case, now=life.report().as_of)
    told = (
        life.report(),
        # Who is a member is known on the day alone: whoever only looks is told of no segment more.
        replace(insights, segments=(), gains=()),
        reports.groups(life.stores, use_case, metric, now=life.report().as_of),
    )
    return [rounded(reports.to_document(each)) for each in told]


def sum_up(life: Any, *, from_scratch: bool = False) -> list[date]:
    if from_scratch:
        life.stores.state.rows("delete from day_summary")
        shutil.rmtree(life.stores.lake.folder / "profile_totals")
    return reports.summarise(
        life.stores, project.read(life.stores.state).use_case("next-best-offer")
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_what_was_summed_up_is_what_a_count_from_scratch_says(
    life: Any, mode: privacy.Mode
) -> None:
    life.forget(mode=mode)
    # What lost a decision is missing, and counted by whoever looks.
    looked = reported(life)
    assert sum_up(life) == [date(2026, 3, 3), date(2026, 3, 4)]
    assert reported(life) == looked
    life.reward(until=datetime(2026, 3, 9, tzinfo=UTC))
    looked = reported(life)
    assert life.report().mature_days == 4
    # Who was forgotten is still one unit, of what was earned before and after.
    assert sum_up(life) == [date(2026, 3, 3), date(2026, 3, 4)]
    assert reported(life) == looked
    assert len(sum_up(life, from_scratch=True)) == 4
    assert reported(life) == looked
    life.stores.state.rows("delete from day_summary")
    assert reported(life) == looked


def test_rewards_still_to_come_are_credited_to_who_was_made_anonymous(life: Any) -> None:
    with life.another() as untouched:
        life.forget(mode="anonymise")
        for each in (life, untouched):
            each.reward(until=datetime(2026, 3, 9, tzinfo=UTC))
        assert life.report().mature_days == untouched.report().mature_days == 4
        assert measured(life)["lift"] == measured(untouched)["lift"]
        assert measured(life)["days"] == measured(untouched)["days"]


def test_nothing_is_sent_to_who_was_forgotten(life: Any) -> None:
    open_rows = "select key from outbox where user_id = 'c000013' and state = 'pending'"
    first, second = (row["key"] for row in life.stores.state.rows(f"{open_rows} order by key"))
    life.stores.state.rows(
        "update outbox set state = 'scheduled', schedule_id = 's' where key = %(key)s",
        {"key": second},
    )
    assert first != second
    life.forget(mode="anonymise")
    rows = life.stores.state.rows(
        "select state, reason, user_id, recall from outbox where user_id like 'forgotten-%'"
        " order by state, due_at"
    )
    gone = "the person was forgotten"
    assert [(row["state"], row["reason"], row["recall"]) for row in rows] == [
        ("failed", gone, None),
        # Its receiver has it, and is to give it back.
        ("scheduled", gone, gone),
        *[("sent", None, None)] * 2,
    ]
    assert len({row["user_id"] for row in rows}) == 1
    # Nobody is decided for, and a day that is run again does not hand anything over.
    assert ANA not in profiles.snapshot(life.stores.state)["user_id"].to_pylist()
    assert len(profiles.snapshot(life.stores.state)) == 39
    life.run_last()
    pending = "select count(*)::int as n from outbox where user_id like 'forgotten-%'"
    assert life.stores.state.rows(pending) == [{"n": 4}]


def test_others_stay_as_they_were(life: Any) -> None:
    other = profiles.get(life.stores.state, "user_id", "c000008")
    life.forget()
    assert profiles.get(life.stores.state, "user_id", "c000008") == other
    invited = [
        row
        for row in life.stores.lake.read("events").to_pylist()
        if row["event"] == "Friend Invited"
    ]
    assert [row["user_id"] for row in invited] == ["c000001"]
    assert json.loads(invited[0]["properties"])["friend"].startswith("forgotten-")


def test_counts_of_what_happened_stay_when_somebody_was_made_anonymous(life: Any) -> None:
    def happened() -> list[tuple[object, ...]]:
        rows = life.stores.lake.read("events").to_pylist()
        return sorted((row["type"], row["event"] or "", row["occurred_at_us"]) for row in rows)

    before = happened()
    life.forget(mode="anonymise")
    assert happened() == before
    rows = life.stores.lake.read("events").to_pylist()
    mine = [row for row in rows if (row["anonymous_id"] or "").startswith("forgotten-")]
    assert len(mine) == 6
    assert {row["user_id"] for row in mine} == {None}
    orders = [json.loads(row["properties"]) for row in mine if row["event"] == "Order Completed"]
    # The provider's metric counts orders and reads none of their fields.
    assert orders == [{}, {}, {}]


def test_several_are_forgotten_in_one_pass(life: Any) -> None:
    asked = [life.ask("user_id", f"c{place:06}") for place in (3, 4, 5)]
    asked.append(life.ask("email", "ANA.MARIA@mail.example", mode="anonymise"))
    assert sorted(life.carry_out()) == sorted(each.request_id for each in asked)
    assert life.found("c000003", "c000004", "c000005", *NEEDLES) == []
    done = [privacy.request(life.stores.state, each.request_id) for each in asked]
    assert len({json.dumps(dict(each.proof or {}), sort_keys=True) for each in done}) == 1
    assert len(profiles.snapshot(life.stores.state)) == 36


def test_asking_twice_is_one_request_and_a_pass_without_any_does_nothing(life: Any) -> None:
    first = life.ask()
    assert life.ask() == first
    assert life.carry_out() == [first.request_id]
    assert life.carry_out() == []
    # Asked once more, there is nothing left: that is proven as well.
    second = life.forget()
    assert second.request_id != first.request_id
    assert second.proof is not None


def test_an_identifier_that_nobody_has_is_looked_for_everywhere(life: Any) -> None:
    life.send(
        {
            "type": "track",
            "userId": "c000001",
            "event": "Note",
            "properties": {"to": "eve@x.example"},
        }
    )
    asked = life.ask("email", "Eve@x.example")
    life.carry_out()
    assert privacy.request(life.stores.state, asked.request_id).state == "done"
    assert life.found("eve@x.example") == []


@pytest.mark.parametrize("value", ["", "null", "0000", "x" * 501, "a\0b"])
def test_what_names_nobody_is_refused(life: Any, value: str) -> None:
    with pytest.raises(privacy.NotForgettable):
        life.ask("user_id", value)
    assert privacy.requests(life.stores.state) == []


def test_what_cannot_be_erased_keeps_the_request_open_and_says_where(life: Any) -> None:
    note = life.stores.settings.data_folder / "by-hand.txt"
    note.write_text(f"call {ANA}")
    asked = life.ask()
    with pytest.raises(privacy.StillThere, match=r"by-hand\.txt"):
        life.carry_out()
    waiting = privacy.request(life.stores.state, asked.request_id)
    assert (waiting.state, waiting.proof) == ("running", None)
    assert waiting.error is not None
    assert ANA not in waiting.error
    note.unlink()
    assert life.carry_out() == [asked.request_id]
    assert life.found(*NEEDLES) == []


def test_somebody_whose_id_begins_alike_is_left_alone(life: Any) -> None:
    for name in (f"{ANA}4", f"x{ANA}"):
        life.send(
            {
                "type": "track",
                "event": "Seen",
                "userId": name,
                "properties": {"by": name, "of": f"about {ANA}"},
            }
        )
    life.forget()
    rows = life.stores.lake.read("events").to_pylist()
    seen = {row["user_id"]: json.loads(row["properties"]) for row in rows if row["event"] == "Seen"}
    assert sorted(seen) == [f"{ANA}4", f"x{ANA}"]
    assert [told["by"] for _, told in sorted(seen.items())] == sorted(seen)
    assert all(told["of"].startswith("about forgotten-") for told in seen.values())
