"""What is counted by segment is that of its members, and is judged together."""

from __future__ import annotations

import json
from types import ModuleType

import numpy as np
import pytest

from opportune import stats
from opportune.reports import UnknownSegmentOfReport, insights, summarise
from opportune.reports.by_segment import segment_lifts
from opportune.storage import Stores


def join(stores: Stores, segment: str, ids: list[int]) -> None:
    """Make profiles members of a segment that is defined; the lake knows them by these ids."""
    stores.state.rows("alter table identifier alter column identifier_id drop expression if exists")
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('segment', %(segment)s, 1, '{}', now())",
        {"segment": segment},
    )
    stores.state.rows(
        "insert into profile (profile_id, first_seen_at, last_seen_at)"
        " select id, now(), now() from unnest(%(ids)s::bigint[]) as id on conflict do nothing",
        {"ids": ids},
    )
    stores.state.rows(
        "insert into identifier (identifier_id, kind, value, profile_id, linked_at)"
        " select id, 'user_id', id::text, id, now() from unnest(%(ids)s::bigint[]) as id"
        " on conflict do nothing",
        {"ids": ids},
    )
    stores.state.rows(
        "insert into segment_membership (segment, profile_id, entered_at)"
        " select %(segment)s, id, now() from unnest(%(ids)s::bigint[]) as id",
        {"segment": segment, "ids": ids},
    )


def test_choices_and_lift_of_a_segment_are_those_of_its_members(
    stores: Stores, history: ModuleType
) -> None:
    told = history.past()
    history.write(stores, told)
    members = list(range(0, 2000, 3))
    join(stores, "gold", members)
    join(stores, "few", list(range(7)))
    case = history.use_case()
    assert insights(stores, case, now=history.NOW).segments == ()
    summarise(stores, case)
    found = insights(stores, case, now=history.NOW, segment="gold")
    assert (found.segment, found.segments) == ("gold", ("few", "gold"))
    treated = [each for each in members if not told.control[each]]
    channel = next(each for each in found.choices if each.dimension == "channel")
    # The newest day alone: who was a member before is not known.
    assert [each.day.day for each in channel.days] == [10]
    counts = {each.option: each.decisions for each in channel.overall}
    sms = int(told.sms[treated, 9].sum())
    assert counts == {"email": len(treated) - sms, "sms": sms}

    gold = next(each for each in found.gains if each.segment == "gold")
    totals = told.rewards.sum(axis=1)
    own = np.isin(np.arange(2000), members)
    pair = [stats.moments(totals[own & side]) for side in (~told.control, told.control)]
    expected = stats.lift(*pair, method="any_look", tightest_at=4 * 2000)
    assert gold.lift.relative == pytest.approx(expected.relative, rel=1e-12)
    assert gold.lift.low == pytest.approx(expected.low, rel=1e-9)
    assert (gold.treatment.profiles, gold.control.profiles) == (pair[0].count, pair[1].count)
    assert gold.treatment.reward_sum == totals[own & ~told.control].sum()
    assert (gold.day.day, gold.found, gold.suspicious) == (7, True, False)
    chance = stats.p_value(*pair, method="any_look", tightest_at=4 * 2000)
    # Two segments; the other has too few rewards to say anything.
    assert gold.p_value == pytest.approx(chance, rel=1e-6)
    assert gold.adjusted == pytest.approx(2 * gold.p_value)
    few = next(each for each in found.gains if each.segment == "few")
    assert (few.p_value, few.found) == (1.0, False)

    with pytest.raises(UnknownSegmentOfReport, match="by segment 'golt'"):
        insights(stores, case, now=history.NOW, segment="golt")


def test_a_segment_whose_groups_have_wrong_sizes_gets_no_verdict(
    stores: Stores, history: ModuleType
) -> None:
    sums = {"profiles": 500, "rewarded": 100, "reward_sum": 100.0, "reward_mean": 0.2, "m2": 80.0}
    more = {**sums, "rewarded": 250, "reward_sum": 250.0, "reward_mean": 0.5, "m2": 125.0}
    stores.state.rows(
        "insert into day_segment (use_case, version, day, segment, totals)"
        " values ('next_offer', 1, '2026-01-07', 'buyers', %(totals)s::jsonb)",
        {"totals": json.dumps({"treatment": more, "control": sums})},
    )
    (buyers,) = segment_lifts(stores.state, history.use_case(), tightest_at=1000)
    # As many in control as in treatment, where one in five was meant.
    assert (buyers.suspicious, buyers.found) == (True, False)
    assert buyers.p_value < 0.05
