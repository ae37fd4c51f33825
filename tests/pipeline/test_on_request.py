"""Deciding when somebody asks: as the day's run would, kept before it is told, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from opportune import activation, decisions, learning, pipeline, profiles, project
from opportune.decisions import Answer, NoOption, NotInAudience, NotOnRequest, NotStarted, Question
from opportune.errors import OpportuneError
from opportune.pipeline import OnRequest, decide_on_request
from opportune.project import ProjectNotFound
from opportune.storage import DatabaseUnavailable, State, Stores

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TakeIn = Callable[..., None]


@pytest.fixture
def on_request(shop: Stores) -> Iterator[OnRequest]:
    asking = OnRequest(shop)
    yield asking
    asking.close()


def question(person: int | str = 0, request: str = "r", **changes: Any) -> Question:
    given = {"use_case": "next", "kind": "user_id", "value": f"u{person}", "request_id": request}
    return Question(**(given | changes))


def ask(stores: Stores, *given: Any, at: datetime = NOW, **changes: Any) -> Answer:
    return decide_on_request(stores, question(*given, **changes), now=at)


def at_once(
    asking: OnRequest, questions: Sequence[Question], *, at: datetime = NOW
) -> list[Answer | BaseException]:
    """What each of many callers of one loop is told."""

    async def every() -> list[Answer | BaseException]:
        waiting = [asking.ask(each, now=at) for each in questions]
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)

    return asyncio.run(every())


def one(asking: OnRequest, *given: Any, at: datetime = NOW) -> Answer:
    (found,) = at_once(asking, [question(*given)], at=at)
    if isinstance(found, BaseException):
        raise found
    return found


def kept(stores: Stores) -> int:
    count: int = stores.state.rows("select count(*) as kept from asked_decision")[0]["kept"]
    return count


def test_a_dry_run_is_what_the_day_chose_and_keeps_nothing(shop: Stores) -> None:
    rows = {row["user_id"]: row for row in shop.lake.read("decisions").to_pylist()}
    assert len(rows) == 40
    explored = 0
    for user_id, row in rows.items():
        answer = ask(shop, request="", value=user_id, dry_run=True)
        assert (answer.decision_id, answer.dry_run, answer.day) == (None, True, row["day"])
        assert list((answer.action or {}).values()) == row["action"]
        assert answer.propensity == row["propensity"]
        assert list(answer.dimension_propensities.values()) == row["dimension_propensities"]
        assert (answer.group, answer.explored) == (row["variant"], row["explored"])
        assert (answer.policy_version, answer.version) == (row["policy_version"], row["version"])
        explored += answer.explored
    assert kept(shop) == 0
    assert {row["variant"] for row in rows.values()} == {"control", "treatment"}


def test_an_answer_has_all_reasons(shop: Stores) -> None:
    answer = ask(shop, 1, traits={"mail": "no"})
    assert [(each.options, each.because) for each in answer.excluded] == [
        ({"offer": "fiber"}, "only where fiber is true"),
        ({"channel": "email"}, 'only where mail is known and not "no"'),
    ]
    assert answer.eligible_actions == 2
    assert (answer.action or {})["channel"] == "sms"
    assert answer.last_event_at == datetime(2026, 2, 20, tzinfo=UTC)
    listed = sum(each.probability for each in answer.candidates)
    shared = answer.uniform_share * (1 - len(answer.candidates) / answer.eligible_actions)
    assert listed + shared == pytest.approx(1)
    played = {tuple(each.action.values()): each for each in answer.candidates}
    mine = played.get(tuple((answer.action or {}).values()))
    # Before it has learned, the policy plays nothing but its uniform share.
    assert (mine.probability if mine else shared / 2) == pytest.approx(answer.propensity)
    assert all(each.score is not None and 0 < each.score < 1 for each in answer.candidates)


def test_the_same_request_has_the_same_answer(shop: Stores, take_in: TakeIn) -> None:
    first = ask(shop, 3)
    told = {"userId": "u3", "traits": {"fiber": False, "mail": "no"}}
    take_in({"type": "identify", "messageId": "x", "timestamp": "2026-03-01T10:00:00Z", **told})
    later = NOW + timedelta(days=2)
    assert ask(shop, 3, at=later, traits={"plan": "basic"}) == first
    assert ask(shop, 3, kind="anonymous_id", value="a3", at=later) == first
    assert kept(shop) == 1
    other = ask(shop, 3, "another")
    assert other.decision_id != first.decision_id
    assert (other.eligible_actions, first.eligible_actions) == (2, 6)
    assert ask(shop, 4).decision_id != first.decision_id
    assert kept(shop) == 3


def test_requests_draw_for_themselves_and_groups_stay(shop: Stores) -> None:
    answers = [ask(shop, 6, f"r{n}") for n in range(60)]
    assert len({answer.group for answer in answers}) == 1
    drawn = [tuple((answer.action or {}).values()) for answer in answers]
    assert len(set(drawn)) > 1
    assert len({answer.propensity for answer in answers if answer.action == answers[0].action}) == 1


def test_many_who_ask_at_once_get_what_each_would_alone(
    shop: Stores, on_request: OnRequest
) -> None:
    asked = [question(n % 40, f"r{n % 50}") for n in range(200)]
    answers = [each for each in at_once(on_request, asked) if isinstance(each, Answer)]
    assert kept(shop) == len(answers) == 200
    assert at_once(on_request, asked) == answers
    assert [decide_on_request(shop, each, now=NOW) for each in asked[:20]] == answers[:20]
    twice = at_once(on_request, [question(1, "twice")] * 20)
    assert len({each.decision_id for each in twice if isinstance(each, Answer)}) == 1
    assert twice == [twice[0]] * 20
    assert kept(shop) == 201
    by_id = {answer.decision_id for answer in answers}
    assert len(by_id) == 200


def test_one_who_asks_for_nothing_sensible_keeps_nobody_waiting(
    shop: Stores, on_request: OnRequest, take_in: TakeIn
) -> None:
    take_in(
        {"type": "identify", "messageId": "c", "userId": "child", "traits": {"age": 7}},
        {
            "type": "identify",
            "messageId": "t",
            "userId": "t",
            "traits": {"age": 30, "test_person": True},
        },
        {"type": "identify", "messageId": "q", "userId": "q", "traits": {"age": 30, "quiet": True}},
        {"type": "track", "event": "Seen", "messageId": "n", "anonymousId": "nobody"},
    )
    shop.state.rows(
        "insert into segment_membership select segment, profile_id, now() from identifier"
        " cross join (values ('adults'), ('quiet')) as each (segment)"
        " where value = 'q' or (value = 't' and segment = 'adults')"
    )
    wrong: list[tuple[Question, type[OpportuneError], str]] = [
        (question(value="unknown"), profiles.UnknownProfile, "No profile has this user_id."),
        (question(value="\0"), profiles.UnknownProfile, "No profile has this user_id."),
        (question(use_case="nxt"), ProjectNotFound, "Did you mean 'next'?"),
        (question(value="child"), NotInAudience, "it is in none of the segments adults"),
        (question(value="t"), NotInAudience, "it only tests, and is in no group"),
        (question(value="q"), NotInAudience, "it is in segment 'quiet', which is taken away"),
        (
            question(kind="anonymous_id", value="nobody"),
            NotInAudience,
            "it has no user id",
        ),
    ]
    fine = [question(n, "among") for n in range(len(wrong))]
    told = at_once(on_request, [*(each for each, _, _ in wrong), *fine])
    for refused, (_, kind, message) in zip(told, wrong, strict=False):
        assert isinstance(refused, kind)
        assert message in refused.message
    assert all(isinstance(each, Answer) and each.action for each in told[len(wrong) :])
    assert kept(shop) == len(wrong)


def test_who_may_get_nothing_is_told_why(
    shop: Stores, define: Callable[..., None], on_request: OnRequest
) -> None:
    before = one(on_request, 1)
    assert before.version == 1
    define(
        {'{ name = "sms" }': '{ name = "sms", eligible = { trait = "has_number", exists = true } }'}
    )
    # A changed definition counts a moment later, and goes on with what the older one learned.
    for seconds in (20, 40):
        answer = one(on_request, 5, f"r{seconds}", at=NOW + timedelta(seconds=seconds))
        assert (answer.version, answer.policy_version) == (2, before.policy_version)
        assert (answer.action or {})["channel"] != "sms"
    definitions = project.read(shop.state)
    day = NOW + timedelta(days=1)
    pipeline.run_day(shop, definitions, "next", day.date(), now=day)
    later = day + timedelta(minutes=1)
    with pytest.raises(NoOption) as refusal:
        ask(shop, 2, at=later, traits={"mail": "no"})
    assert refusal.value.message == (
        "Use case 'next': no option of dimension 'channel' is allowed for this profile (email: "
        'only where mail is known and not "no"; sms: only where has_number is known). Nothing was '
        "decided."
    )
    assert ask(shop, 2, at=later).version == 2


def test_a_version_that_can_go_on_from_none_waits_for_its_first_day(
    shop: Stores, define: Callable[..., None], on_request: OnRequest
) -> None:
    assert one(on_request, 1).version == 1
    define({'features = ["age", ': "features = ["})
    with pytest.raises(NotStarted, match="has no policy in version 2 yet, nor in an older one"):
        one(on_request, 2, at=NOW + timedelta(seconds=20))


def test_constraints_hold_on_request(
    customers: None,
    stores: Stores,
    define: Callable[..., None],
    take_in: TakeIn,
    tmp_path: Path,
) -> None:
    consent = 'sends = "news"\n[purposes.news]\ntitle = "News"\nunknown = "no"\n'
    (tmp_path / "project" / "consent.toml").write_text(consent)
    forbidden = (
        '\n[[constraints.forbidden]]\noptions = { offer = "tv", channel = "sms" }\n'
        'when = { trait = "plan", is = "plus" }\n'
    )
    define(
        {
            'name = "channel"\noptions': 'name = "channel"\nmeaning = "channel"\noptions',
            '{ name = "sim" }': '{ name = "sim", parameters = { months = 6 } }',
            '{ name = "sms" }]': '{ name = "sms" }]' + forbidden,
        }
    )
    definitions = project.read(stores.state)
    for person in range(4):
        for channel in ("email", "sms") if person < 2 else ("sms",):
            said = {"purpose": "news", "channel": channel, "granted": True}
            activation.state_consent(
                stores,
                "user_id",
                f"u{person}",
                activation.Statement(**said, by="desk", evidence="form"),
                now=NOW,
            )
    take_in({"type": "track", "event": "Seen", "messageId": "s", "userId": "u0"})
    pipeline.run_day(stores, definitions, "next", NOW.date(), now=NOW)
    rows = {row["user_id"]: row for row in stores.lake.read("decisions").to_pylist()}
    assert sorted(rows) == ["u0", "u1", "u2", "u3"]
    for user_id, row in rows.items():
        answer = ask(stores, request="", value=user_id, dry_run=True)
        assert list((answer.action or {}).values()) == row["action"]
        assert answer.propensity == row["propensity"]
        is_sim = (answer.action or {})["offer"] == "sim"
        assert answer.parameters == ({"offer": {"months": 6}} if is_sim else {})
    plus = [ask(stores, 1, f"r{n}").action or {} for n in range(40)]
    assert {tuple(each.values()) for each in plus} == {
        ("sim", "sms"),
        ("sim", "email"),
        ("tv", "email"),
    }
    reasons = [(each.options, each.because) for each in ask(stores, 1, "r0").excluded]
    assert reasons[-1] == (
        {"offer": "tv", "channel": "sms"},
        'forbidden together where plan is "plus"',
    )
    assert ask(stores, 2, "r").excluded[-1].because == "the person does not allow this channel"
    with pytest.raises(NoOption, match="the person does not allow this channel"):
        ask(stores, 5, "r")
    decisions.hand_over_asked(stores, now=NOW)
    asked = [row for row in stores.lake.read("decisions").to_pylist() if row["decided_at"] == NOW]
    assert {row["due_at"] for row in asked if row["decision_id"].count(":") == 3} == {NOW}


def test_costs_exploration_and_the_random_group_are_those_of_the_day(
    customers: None, stores: Stores, define: Callable[..., None]
) -> None:
    define(
        {
            "control_share = 0.4": "control_share = 0.2\nrandom_share = 0.4\nexploration_min = 0.3",
            '{ name = "tv" }': '{ name = "tv", cost = 0.5, cost_due = "rewarded" }',
            '{ name = "sms" }': '{ name = "sms", cost = 0.01 }',
        }
    )
    pipeline.run_day(stores, project.read(stores.state), "next", NOW.date(), now=NOW)
    rows = {row["user_id"]: row for row in stores.lake.read("decisions").to_pylist()}
    assert {row["variant"] for row in rows.values()} == {"control", "random", "treatment"}
    for user_id, row in rows.items():
        answer = ask(stores, request="", value=user_id, dry_run=True)
        assert list((answer.action or {}).values()) == row["action"]
        assert (answer.group, answer.propensity) == (row["variant"], row["propensity"])
        assert answer.explored == row["explored"]
        assert answer.uniform_share >= 0.3
        ask(stores, value=user_id)
    decisions.hand_over_asked(stores, now=NOW)
    for row in stores.lake.read("decisions").to_pylist():
        assert row["cost_rewarded"] == (0.5 if "tv" in row["action"] else 0)
        assert row["cost"] == (0.01 if "sms" in row["action"] else 0)
        # What the policy expects is of what it plays, asked for or by the day's run.
        assert row["variant"] != "random" or row["expected"] is None
    asked = [row for row in stores.lake.read("decisions").to_pylist() if row["decided_at"] == NOW]
    played = [row for row in asked if row["decision_id"].count(":") == 3]
    assert all(row["expected"] is not None for row in played if row["variant"] == "treatment")


def test_a_cap_on_sends_is_left_to_the_day(
    customers: None, stores: Stores, define: Callable[..., None]
) -> None:
    cap = "\n[[constraints.cap]]\nsends = 1\ndays = 7\n"
    define({'{ name = "sms" }]': '{ name = "sms" }]' + cap})
    pipeline.run_day(stores, project.read(stores.state), "next", NOW.date(), now=NOW)
    with pytest.raises(NotOnRequest, match="has a cap on sends"):
        ask(stores, 1)
    assert kept(stores) == 0


def test_without_the_database_nobody_is_told_anything(shop: Stores, on_request: OnRequest) -> None:
    first = one(on_request, 1, "a")

    class Away(State):
        def transaction(self) -> Any:
            raise DatabaseUnavailable("away")

    away = replace(shop, state=Away(shop.database_url))
    pairs = [(question(1, "b"), person(shop))]
    ready = decisions.decide_asked(decider(shop), pairs, now=NOW)
    with pytest.raises(DatabaseUnavailable):
        decisions.keep(away.state, [each for each in ready if isinstance(each, decisions.Decided)])
    assert kept(shop) == 1
    assert one(on_request, 1, "a") == first


def test_who_has_gone_holds_up_nobody(shop: Stores, on_request: OnRequest) -> None:
    async def two() -> Answer:
        leaving = asyncio.create_task(on_request.ask(question(1, "a"), now=NOW))
        staying = asyncio.create_task(on_request.ask(question(2, "b"), now=NOW))
        await asyncio.sleep(0)
        leaving.cancel()
        return await asyncio.wait_for(staying, 30)

    async def gone() -> None:
        leaving = asyncio.create_task(on_request.ask(question(3, "c"), now=NOW))
        await asyncio.sleep(0)
        leaving.cancel()

    assert asyncio.run(two()).action
    # Its loop may be closed before there is an answer.
    asyncio.run(gone())
    assert one(on_request, 4, "d").action
    assert kept(shop) == 4


def test_whatever_goes_wrong_is_told_to_all_who_wait(
    shop: Stores, on_request: OnRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(decisions, "keep", away)
    told = at_once(on_request, [question(n) for n in range(5)])
    assert [type(each) for each in told] == [DatabaseUnavailable] * 5
    monkeypatch.undo()
    assert one(on_request, 1).action
    assert kept(shop) == 1


def person(stores: Stores) -> decisions.Person:
    found = decisions.people_asked(stores.state, [question(1, "b")], ("adults",))[0]
    assert isinstance(found, decisions.Person)
    return found


def decider(stores: Stores) -> decisions.Decider:
    use_case = project.read(stores.state).use_case("next")
    definitions = project.read(stores.state)
    metric = definitions.metric_of(use_case)
    trained = learning.newest(stores, use_case, metric, NOW.date())
    assert trained is not None
    return decisions.make_decider(
        use_case,
        trained.policy,
        day=NOW.date(),
        policy_version=trained.version,
        trained_through=trained.trained_through,
    )
