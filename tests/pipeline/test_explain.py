"""Past decisions say why: with the policy, the features and the rules of then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from opportune import decisions, learning, pipeline, policies, project
from opportune.decisions import Known, Question, UseCase
from opportune.pipeline import Explanation, explain
from opportune.reports import DecisionNotFound
from opportune.storage import Stores

DAY = date(2026, 3, 1)
LATER = datetime(2026, 3, 4, 6, tzinfo=UTC)
LATE_DAYS = 4


@pytest.fixture
def learned(shop: Stores, take_in: Callable[..., None]) -> Stores:
    """The shop after some days, whose policy has learned something."""
    take_in(
        *(
            {
                "type": "track",
                "event": "Order Completed",
                "messageId": f"o{n}",
                "userId": f"u{n}",
                "timestamp": "2026-03-01T12:00:00Z",
            }
            for n in range(0, 40, 2)
        ),
        received_at=datetime(2026, 3, 1, 13, tzinfo=UTC),
    )
    for place in range(1, LATE_DAYS):
        at = datetime(2026, 3, 1, 6, tzinfo=UTC) + timedelta(days=place)
        pipeline.run_day(shop, project.read(shop.state), "next", at.date(), now=at)
    return shop


def explained(stores: Stores, decision_id: str) -> Explanation:
    return explain(stores, project.read(stores.state), decision_id, now=LATER)


def test_every_past_decision_is_explained_as_it_was_logged(learned: Stores) -> None:
    rows = learned.lake.read("decisions").to_pylist()
    assert len(rows) == 40 * LATE_DAYS
    for row in rows[::7]:
        found = explained(learned, row["decision_id"])
        assert found.missing == ""
        assert found.propensity == pytest.approx(row["propensity"], rel=1e-12)
        assert list(found.decided.action.values()) == row["action"]
        assert (found.decided.propensity, found.decided.variant) == (
            row["propensity"],
            row["variant"],
        )
        assert found.group.startswith(f"It is in {row['variant']}")
        assert sum(each.probability for each in found.candidates) == pytest.approx(1)
        (mine,) = [each for each in found.candidates if each.action == found.decided.action]
        assert mine.probability == pytest.approx(row["propensity"], rel=1e-12)
        assert len(found.candidates) == found.eligible_actions
        for dimension in ("offer", "channel"):
            shares = [e.probability for e in found.chances if e.dimension == dimension]
            assert sum(shares) == pytest.approx(1)
        allowed = {(e.dimension, e.option) for e in found.chances}
        barred = {item for each in found.excluded for item in each.options.items()}
        assert allowed | barred == {
            *(("offer", each) for each in ("tv", "sim", "fiber")),
            *(("channel", each) for each in ("email", "sms")),
        }
        assert allowed & barred == set()
        assert all(each.because for each in found.excluded)


def test_in_shadow_what_each_group_would_have_got_is_explained(
    learned: Stores, define: Callable[..., None]
) -> None:
    define({"control_share = 0.4": "control_share = 0.2\nrandom_share = 0.4"})
    decisions.change_state(learned.state, "next", "shadow", by="ann", now=LATER)
    at = LATER + timedelta(days=1)
    pipeline.run_day(learned, project.read(learned.state), "next", at.date(), now=at)
    rows = [row for row in learned.lake.read("decisions").to_pylist() if row["variant"] == "shadow"]
    assert len(rows) == 40
    # Chance plays for the random group, and the policy, which has learned, for the others.
    assert len({row["propensity"] for row in rows}) > 4
    for row in rows:
        found = explain(learned, project.read(learned.state), row["decision_id"], now=at)
        assert found.propensity == pytest.approx(row["propensity"], rel=1e-12)
        assert "nothing is sent to anybody" in found.group


def test_factors_add_up_to_the_difference_of_scores_exactly(learned: Stores) -> None:
    use_case = project.read(learned.state).use_case("next")
    newest = learned.lake.read("decisions", ["decision_id", "day"]).to_pylist()
    ids = [row["decision_id"] for row in newest if row["day"] == date(2026, 3, 4)]
    some = 0
    for decision_id in ids[:10]:
        found = explained(learned, decision_id)
        assert found.advantage is not None
        assert sum(each.adds for each in found.factors) == pytest.approx(found.advantage, abs=1e-12)
        scores = {
            tuple(each.action.values()): np.log(each.score / (1 - each.score))
            for each in found.candidates
            if each.score is not None
        }
        mine = scores[tuple(found.decided.action.values())]
        # The log-odds of an expected reward are the score but for what is unsure of it.
        assert mine - np.mean(list(scores.values())) == pytest.approx(found.advantage, abs=0.02)
        some += abs(found.advantage) > 1e-6
    assert some > 0
    assert use_case.version == 1


def test_what_is_excluded_names_its_rule(shop: Stores) -> None:
    row = next(row for row in shop.lake.read("decisions").to_pylist() if row["user_id"] == "u1")
    found = explained(shop, row["decision_id"])
    assert [(each.options, each.because) for each in found.excluded] == [
        ({"offer": "fiber"}, "only where fiber is true")
    ]
    assert found.values == {"age": 21.0, "plan=basic": 0.0, "plan=plus": 1.0}
    assert (found.policy, found.trained_through) == ("factored_thompson", None)


def test_a_decision_on_request_is_explained_as_well(shop: Stores) -> None:
    now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    question = Question(use_case="next", kind="user_id", value="u1", request_id="r1")
    answer = pipeline.decide_on_request(shop, question, now=now)
    with pytest.raises(DecisionNotFound):
        explained(shop, str(answer.decision_id))
    decisions.hand_over_asked(shop, now=now)
    found = explained(shop, str(answer.decision_id))
    assert found.propensity == pytest.approx(answer.propensity, rel=1e-12)
    assert found.excluded == answer.excluded
    assert found.eligible_actions == answer.eligible_actions


def test_without_the_policy_it_says_so_and_keeps_what_was_logged(shop: Stores) -> None:
    shop.state.rows("delete from model")
    row = shop.lake.read("decisions").to_pylist()[0]
    found = explained(shop, row["decision_id"])
    assert found.missing.startswith("The policy next/1/2026-03-01 is not kept any more")
    assert (found.propensity, found.candidates, found.advantage) == (None, (), None)
    assert found.decided.propensity == row["propensity"]
    assert learning.of_version(shop, _use_case(shop), "p") is None


@pytest.mark.parametrize(
    "decision_id",
    ["", "nothing", "next:20260301:00000000000000ff", "next:20269999:00000000000000ff"],
)
def test_an_id_that_no_decision_has_is_not_found(shop: Stores, decision_id: str) -> None:
    with pytest.raises(DecisionNotFound):
        explained(shop, decision_id)


def _use_case(stores: Stores) -> UseCase:
    return project.read(stores.state).use_case("next")


def known(**changes: object) -> Known:
    given: dict[str, object] = {
        "day": DAY,
        "group": "treatment",
        "action": ("tv", "sms"),
        "values": (30.0, 1.0, 0.0),
        "eligible": (0b001, 0b10),
        "allowed": (0b011, 0b10),
        "cooled": (0, 0b01),
        "forbidden": 0,
        "recent": (3,),
        "shadow_price": 0.5,
        "asked": False,
    }
    return Known(**(given | changes))  # type: ignore[arg-type]  # a few of its own


def test_budget_cooldown_and_repeated_actions_are_named(shop: Stores) -> None:
    found = decisions.exclusions(_use_case(shop), known(), asks_consent=True)
    assert [(dict(each.options), each.because) for each in found] == [
        ({"offer": "sim"}, "its cost did not fit into what was left of the budget"),
        ({"offer": "fiber"}, "only where fiber is true"),
        ({"channel": "email"}, "cool-down: the profile had it too lately"),
        (
            {"offer": "sim", "channel": "sms"},
            "cool-down: the profile had this very action lately",
        ),
    ]


def test_what_may_have_been_one_of_several_rules_names_them_all(shop: Stores) -> None:
    use_case = _use_case(shop)
    channel = replace(use_case.dimensions[1], meaning="channel")
    sold_out = replace(use_case.dimensions[0].options[1], valid_until=date(2026, 2, 1))
    offers = (use_case.dimensions[0].options[0], sold_out, use_case.dimensions[0].options[2])
    offer = replace(use_case.dimensions[0], options=offers)
    meant = replace(use_case, dimensions=(offer, channel))
    seen = known(cooled=(0, 0), recent=(), allowed=(0b001, 0b10))
    found = decisions.exclusions(meant, seen, asks_consent=True)
    assert [each.because for each in found] == [
        "only from the beginning to 2026-02-01",
        "only where fiber is true",
        'only where mail is known and not "no" or the person did not allow this channel',
    ]


def test_the_random_group_plays_evenly_and_a_simple_policy_gives_no_reasons(shop: Stores) -> None:
    seen = known(group="random", eligible=(0b011, 0b11), allowed=(0b011, 0b11), recent=())
    use_case = _use_case(shop)
    again = decisions.replayed(use_case, policies.Uniform(use_case.space), seen)
    assert (again.propensity, again.uniform_share, again.eligible_actions) == (0.25, 1.0, 4)
    assert [each.probability for each in again.candidates] == [0.25] * 4
    assert (again.advantage, again.factors) == (None, ())


def test_the_champion_decides_for_its_own_group_and_explains_itself(
    customers: None, define: Callable[..., None], stores: Stores
) -> None:
    groups = """control_share = 0.2
champion_share = 0.4
champion_policy = { name = "epsilon_greedy", epsilon = 0.3 }"""
    define({"control_share = 0.4": groups})
    case = _use_case(stores)
    ids = decisions.people_asked(stores.state, [_asks(n) for n in range(40)], ["adults"])
    numbers = np.array([each.profile_id for each in ids if isinstance(each, decisions.Person)])
    mine = int(np.flatnonzero(decisions.variants(case, numbers) == "champion")[0])
    now = datetime(2026, 3, 1, 5, tzinfo=UTC)
    with pytest.raises(decisions.NotStarted):
        pipeline.decide_on_request(stores, _asks(mine), now=now)
    pipeline.run_day(stores, project.read(stores.state), "next", DAY, now=now)
    answer = pipeline.decide_on_request(stores, _asks(mine), now=now)
    assert (answer.group, answer.policy) == ("champion", "epsilon_greedy")
    assert answer.policy_version == "next:champion/2/2026-03-01"
    decisions.hand_over_asked(stores, now=now)
    for row in stores.lake.read("decisions").to_pylist():
        found = explained(stores, row["decision_id"])
        is_champion = row["variant"] == "champion"
        assert found.policy == ("epsilon_greedy" if is_champion else "factored_thompson")
        assert row["policy_version"].startswith("next:champion/2" if is_champion else "next/2")
        assert found.propensity == pytest.approx(row["propensity"], rel=1e-12)
        if is_champion:
            assert found.group.startswith("It is in the champion's group: the policy that is the")
            assert "puts 40.0% of profiles there" in found.group
            assert row["expected"] is None


def test_whoever_is_the_champions_waits_for_its_first_day(
    shop: Stores, define: Callable[..., None]
) -> None:
    groups = """control_share = 0.1
champion_share = 0.5
champion_policy = { name = "uniform" }"""
    define({"control_share = 0.4": groups})
    now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    found: list[str] = []
    for n in range(12):
        try:
            found.append(pipeline.decide_on_request(shop, _asks(n), now=now).group)
        except decisions.NotStarted as error:
            found.append(error.message.partition(": ")[2])
    waits = "this profile is in the champion's group, and the champion 'uniform' has no policy"
    assert sum(each.startswith(waits) for each in found) == 8
    others = [each for each in found if not each.startswith(waits)]
    assert sorted(others) == ["control", "treatment", "treatment", "treatment"]


def _asks(number: int) -> Question:
    return Question(use_case="next", kind="user_id", value=f"u{number}", request_id="r")
