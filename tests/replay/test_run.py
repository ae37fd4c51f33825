"""A campaign that was really run, played through the rooms, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from opportune import learning, policies
from opportune.replay import (
    Campaign,
    Replayed,
    UnknownOutcome,
    read_campaign,
    replay,
    verdict,
)
from opportune.settings import Settings
from opportune.storage import Stores, open_stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


def silent(what: str, done: int, total: int) -> None:
    """Hear of progress and say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    campaign: Campaign
    stores: Stores
    result: Replayed


def play(spring: Any, stores: Stores) -> Played:
    campaign = read_campaign(spring.written(spring.made()), spring.schema())
    result = replay(stores, campaign, "bought", seed=1, told=silent)
    return Played(campaign=campaign, stores=stores, result=result)


@pytest.fixture
def own(spring: Any, stores: Stores) -> Played:
    """Played in stores that a test may go on writing to."""
    return play(spring, stores)


@pytest.fixture(scope="module")
def played(
    lasting_spring: Any, fresh_database: Callable[..., AbstractContextManager[str]]
) -> Iterator[Played]:
    """Played once, for tests that only look."""
    with fresh_database() as url:
        chosen = Settings(data_folder=lasting_spring.folder / "data", database_url=url)
        with closing(open_stores(chosen, now=NOW)) as stores:
            yield play(lasting_spring, stores)


def test_the_learned_policy_beats_every_single_action_where_the_best_depends_on_a_feature(
    played: Played,
) -> None:
    found = played.result
    assert (found.training_rows, found.held_out_rows, found.days) == (3_000, 3_000, 4)
    assert [each.name for each in found.singles] == ["nothing", "sale", "news"]
    assert found.control.name == "nothing"
    # 99 % get what fits, which half of them buy; any single action fits every second customer.
    value = 0.99 * 0.5 + 0.01 * (0.5 + 0.1 + 0.1) / 3
    assert found.learned.doubly_robust.value == pytest.approx(value, abs=0.03)
    for single in found.singles[1:]:
        assert single.doubly_robust.value == pytest.approx(0.3, abs=0.04)
    assert found.edge.low is not None
    assert found.edge.low > 0.1
    assert "earns more than the best single action" in verdict(found)
    assert found.learned.supported_share == pytest.approx(1.0)
    assert found.sample_ratio is None


def test_the_log_is_evaluated_as_its_plain_mean(played: Played) -> None:
    kept = played.result.logged.terms
    assert len(kept) == 3_000
    assert played.result.logged.ips.value == pytest.approx(kept.mean(), rel=1e-12)


def test_held_out_rows_enter_neither_decisions_nor_rewards_nor_outcomes(played: Played) -> None:
    stores = played.stores
    assert stores.lake.read("features").num_rows == 6_000
    decided = stores.lake.read("decisions")
    assert decided.num_rows == 3_000
    assert decided["policy_version"].unique().to_pylist() == ["logged"]
    assert decided["day"].value_counts().field("counts").to_pylist() == [750] * 4
    rewards = stores.lake.read("rewards")
    assert rewards.num_rows == 3_000
    outcomes = stores.lake.read("events", columns=["type", "user_id"])
    outcomes = outcomes.filter(pc.equal(outcomes["type"], "track"))
    assert set(outcomes["user_id"].to_pylist()) <= set(decided["user_id"].to_pylist())
    everybody = played.campaign.rewards["bought"].sum()
    assert pc.sum(rewards["reward"]).as_py() + played.result.logged.terms.sum() == everybody


def test_decisions_are_the_logged_ones_with_their_propensity(played: Played) -> None:
    names = ("nothing", "sale", "news")
    decided = played.stores.lake.read("decisions")
    rows = [int(user.split("-")[1]) - 1 for user in decided["user_id"].to_pylist()]
    logged = [[names[option]] for option in played.campaign.actions[rows, 0]]
    assert decided["action"].to_pylist() == logged
    assert decided["propensity"].to_pylist() == [1 / 3] * 3_000
    assert decided["variant"].unique().to_pylist() == ["treatment"]
    first = decided.slice(0, 1).to_pylist()[0]
    assert first["decision_id"].endswith(f":{first['profile_id'] & (2**64 - 1):016x}")


def test_features_come_out_of_the_snapshot_as_they_stand_in_the_file(played: Played) -> None:
    kept = played.stores.lake.read("features", columns=["user_id", "values"])
    rows = [int(user.split("-")[1]) - 1 for user in kept["user_id"].to_pylist()]
    visits = played.campaign.traits["visits"].to_numpy()[rows]
    plans = np.array(played.campaign.traits["plan"].to_pylist())[rows]
    expected = np.stack([visits, plans == "basic", plans == "plus"], axis=1)
    assert np.array_equal(np.array(kept["values"].to_pylist()), expected.astype(np.float64))


def test_held_out_outcomes_do_not_change_what_is_learned(own: Played) -> None:
    campaign, stores = own.campaign, own.stores
    decided = stores.lake.read("decisions", columns=["user_id"])["user_id"].to_pylist()
    training = np.zeros(6_000, dtype=np.bool_)
    training[[int(user.split("-")[1]) - 1 for user in decided]] = True
    bought = campaign.rewards["bought"]
    turned = replace(
        campaign,
        rewards={"bought": np.where(training, bought, 1 - bought)},
        fingerprint="turned",
    )
    again = replay(stores, turned, "bought", seed=1, told=silent)
    assert again.logged.ips.value == pytest.approx(1 - _value(own.result.logged))
    sql = "select body from model where day = '2000-01-05' order by use_case"
    models = [policies.FactoredThompson.from_bytes(row["body"]) for row in stores.state.rows(sql)]
    features = np.array([[1.0, 1.0, 0.0], [3.0, 0.0, 1.0], [9.0, 1.0, 0.0]])
    actions = np.array([[0], [1], [2]], dtype=np.int16)
    one, other = (model.expected(features, actions).tolist() for model in models)
    # The customers have other ids, so the same rows were added up in another order.
    assert one == pytest.approx(other, rel=1e-9)


def _value(row: learning.Evaluated) -> float:
    assert row.ips.value is not None
    return row.ips.value


def test_running_again_on_the_same_stores_changes_nothing(own: Played) -> None:
    stores = own.stores
    tables = ("events", "rejects", "features", "decisions", "rewards")
    counts = {name: stores.lake.read(name).num_rows for name in tables}
    again = replay(stores, own.campaign, "bought", seed=1, told=silent)
    assert {name: stores.lake.read(name).num_rows for name in tables} == counts
    assert counts["rejects"] == 0
    assert again.learned.terms.tolist() == own.result.learned.terms.tolist()
    assert again.edge == own.result.edge


def test_another_seed_holds_out_other_rows_and_another_outcome_is_learned_beside_it(
    own: Played,
) -> None:
    stores = own.stores
    other = replay(stores, own.campaign, "bought", seed=2, told=silent)
    assert other.logged.ips.value != own.result.logged.ips.value
    spent = replay(stores, own.campaign, "spent", seed=1, told=silent)
    assert spent.best_single in ("sale", "news")
    assert spent.learned.doubly_robust.value == pytest.approx(0.5 * np.exp(3 + 0.5**2 / 2), abs=1.0)
    assert stores.lake.read("decisions").num_rows == 9_000
    # The customers are the same ones: they entered once.
    kinds = stores.lake.read("events", columns=["type"])["type"].value_counts().to_pylist()
    assert {"values": "identify", "counts": 6_000} in kinds


def test_with_a_time_the_latest_rows_are_held_out(stores: Stores, spring: Any) -> None:
    columns = {**spring.made(rows=400), "sent": pa.array(np.arange(400)[::-1])}
    campaign = read_campaign(spring.written(columns), spring.schema(time="sent"))
    replay(stores, campaign, "bought", seed=1, told=silent)
    decided = stores.lake.read("decisions", columns=["user_id", "day"]).sort_by("day")
    rows = [int(user.split("-")[1]) for user in decided["user_id"].to_pylist()]
    assert set(rows) == set(range(201, 401))
    assert set(rows[:50]) == set(range(351, 401))


def test_an_unknown_outcome_names_the_nearest(played: Played) -> None:
    with pytest.raises(UnknownOutcome, match=r"s has no outcome 'spend'\. Did you mean 'spent'\?"):
        replay(played.stores, played.campaign, "spend", seed=1, told=silent)


def test_the_verdict_is_careful(played: Played) -> None:
    found = played.result
    close = replace(found, edge=replace(found.edge, value=0.01, low=-0.01, high=0.03))
    assert verdict(close).startswith(
        f"The learned policy cannot be told from the best single action, '{found.best_single}'"
    )
    worse = replace(found, edge=replace(found.edge, value=-0.02, low=-0.03, high=-0.01))
    assert "earns less than the best single action" in verdict(worse)
    unknown = replace(found, edge=replace(found.edge, low=None, high=None, reason="No rows."))
    assert verdict(unknown).endswith("No rows.")
    weak = replace(found, learned=replace(found.learned, supported_share=0.7))
    assert verdict(weak).startswith("The log never played 30% of what the learned policy")
    few_rows = replace(found.control, snips=replace(found.control.snips, trustworthy=False))
    assert verdict(replace(found, control=few_rows)).startswith("Too little of the log speaks of")


def test_actions_that_were_not_played_as_planned_are_said_first(
    stores: Stores, spring: Any
) -> None:
    columns = spring.made(rows=1_200)
    columns["letter"] = pa.array(["none"] * 600 + ["sale"] * 300 + ["news"] * 300)
    campaign = read_campaign(spring.written(columns), spring.schema(propensity=0.33333333))
    found = replay(stores, campaign, "bought", seed=1, told=silent)
    assert found.sample_ratio is not None
    assert found.sample_ratio.suspicious
    assert verdict(found).startswith("Do not trust any of this before you know why")
