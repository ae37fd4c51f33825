"""The made-up market keeps its promises: stated rates, a known best, luck that does not move."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from opportune.simulate import (
    MARKETS,
    MAX_DELAY_S,
    BadMarket,
    Market,
    internet_provider,
)

CUSTOMERS = 20_000
ROWS = np.arange(CUSTOMERS)
EVERYBODY = np.ones(CUSTOMERS, dtype=np.bool_)
NOBODY = np.zeros(CUSTOMERS, dtype=np.bool_)


@pytest.fixture(scope="module")
def market() -> Market:
    return internet_provider(customers=CUSTOMERS, seed=1)


def random_actions(market: Market, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.column_stack([random.integers(0, k, CUSTOMERS) for k in market.space.sizes]).astype(
        np.int16
    )


def test_there_is_one_market_and_it_is_found_by_name() -> None:
    assert dict(MARKETS) == {"internet-provider": internet_provider}


def test_the_space_has_five_offers_three_channels_and_four_hours(market: Market) -> None:
    assert [(d.name, len(d.options)) for d in market.space.dimensions] == [
        ("offer", 5),
        ("channel", 3),
        ("hour", 4),
    ]
    assert market.space.combinations == 60


def test_traits_have_one_row_a_customer_and_plain_types(market: Market) -> None:
    assert market.traits.num_rows == CUSTOMERS
    assert market.traits["user_id"].to_pylist() == market.user_ids.tolist()
    assert market.user_ids[[0, -1]].tolist() == ["c000001", "c020000"]
    assert {field.name: str(field.type) for field in market.traits.schema} == {
        "user_id": "string",
        "email": "string",
        "plan": "string",
        "tenure_months": "int64",
        "monthly_spend_eur": "double",
        "data_usage_gb": "double",
        "contract_months_left": "int64",
        "support_calls_90d": "int64",
        "days_since_visit": "int64",
        "fiber_available": "bool",
        "has_mobile": "bool",
        "has_tv": "bool",
        "paperless": "bool",
        "router_age_months": "int64",
        "household_size": "int64",
    }
    plans = sorted(market.traits["plan"].unique().to_pylist())
    assert plans == ["basic", "plus", "premium"]


def test_the_same_seed_and_size_give_the_same_market(market: Market) -> None:
    again = internet_provider(customers=CUSTOMERS, seed=1)
    assert again.traits.equals(market.traits)
    assert np.array_equal(again.best_actions, market.best_actions)
    assert again.oracle() == market.oracle()
    other = internet_provider(customers=CUSTOMERS, seed=2)
    assert not other.traits.equals(market.traits)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rates_are_where_the_market_promises_them(seed: int) -> None:
    market = internet_provider(customers=CUSTOMERS, seed=seed)
    assert market.control_value() == pytest.approx(0.025, abs=1e-6)
    assert market.uniform_value() == pytest.approx(0.030, abs=1e-6)
    assert 1.8 < market.oracle() / market.uniform_value() < 2.3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_oracle_beats_the_best_single_action_beats_uniform_beats_silence(seed: int) -> None:
    market = internet_provider(customers=2_000, seed=seed)
    assert market.oracle() > market.best_single() > market.uniform_value() > market.control_value()


def test_the_oracle_captures_everything_and_uniform_play_nothing(market: Market) -> None:
    assert market.captured(ROWS, market.best_actions) == 1.0
    days = 20
    rows = np.tile(ROWS, days)
    actions = np.concatenate([random_actions(market, seed) for seed in range(days)])
    assert market.captured(rows, actions) == pytest.approx(0.0, abs=0.003)
    assert market.captured(ROWS, None) < 0.0


def test_chances_of_single_actions_agree_with_the_table_of_combinations(market: Market) -> None:
    for combination in (0, 17, 59):
        action = np.array(np.unravel_index(combination, market.space.sizes), dtype=np.int16)
        chances = market.probability(ROWS, np.tile(action, (CUSTOMERS, 1)))
        assert chances.mean() == pytest.approx(market.combination_values[combination], rel=1e-12)
        assert (chances <= market.best_probability + 1e-12).all()


def test_a_message_without_a_known_action_is_like_no_message(market: Market) -> None:
    actions = market.best_actions.copy()
    actions[:, 1] = -1
    assert np.array_equal(market.probability(ROWS, actions), market.probability(ROWS, None))
    silent = market.orders(5, ROWS, market.best_actions, NOBODY)
    unknown = market.orders(5, ROWS, actions, EVERYBODY)
    assert np.array_equal(silent.position, unknown.position)
    assert np.array_equal(silent.after_s, unknown.after_s)
    assert not unknown.through_link.any()


def test_orders_happen_at_the_true_rates(market: Market) -> None:
    actions = random_actions(market, 7)
    days = range(40)
    played = sum(len(market.orders(day, ROWS, actions, EVERYBODY).position) for day in days)
    silent = sum(len(market.orders(day, ROWS, actions, NOBODY).position) for day in days)
    customer_days = CUSTOMERS * 40
    # Four standard errors of a share of 0.03 over 800,000 customer days.
    assert played / customer_days == pytest.approx(
        market.probability(ROWS, actions).mean(), abs=0.00077
    )
    assert silent / customer_days == pytest.approx(0.025, abs=0.0007)


def test_luck_depends_on_seed_day_and_customer_only(market: Market) -> None:
    whole = market.orders(3, ROWS, market.best_actions, EVERYBODY)
    shuffled = np.random.default_rng(0).permutation(CUSTOMERS)
    again = market.orders(3, shuffled, market.best_actions[shuffled], EVERYBODY)
    assert set(shuffled[again.position].tolist()) == set(whole.position.tolist())
    assert again.revenue_cents.sum() == whole.revenue_cents.sum()
    half = market.orders(3, ROWS[5_000:], market.best_actions[5_000:], EVERYBODY[5_000:])
    late = whole.position >= 5_000
    assert np.array_equal(half.position + 5_000, whole.position[late])
    assert np.array_equal(half.after_s, whole.after_s[late])
    assert not np.array_equal(
        market.orders(4, ROWS, market.best_actions, EVERYBODY).position, whole.position
    )


def test_orders_come_after_the_hour_of_sending_and_within_47_hours(market: Market) -> None:
    orders = market.orders(11, ROWS, market.best_actions, EVERYBODY)
    hours = np.array([9, 13, 18, 20])[market.best_actions[orders.position, 2]]
    delay = orders.after_s - hours * 3600
    assert delay.min() >= 0
    assert delay.max() <= MAX_DELAY_S
    assert orders.through_link.mean() == pytest.approx(0.75, abs=0.05)
    assert 2_000 < orders.revenue_cents.mean() < 6_000


def test_who_orders_through_the_link_opened_and_clicked_before(market: Market) -> None:
    orders = market.orders(2, ROWS, market.best_actions, EVERYBODY)
    engaged = market.engagement(2, ROWS, market.best_actions, orders)
    through = orders.position[orders.through_link]
    assert engaged.opened[through].all()
    assert engaged.clicked[through].all()
    bought = orders.after_s[orders.through_link]
    assert (engaged.sent_after_s[through] <= engaged.opened_after_s[through]).all()
    assert (engaged.opened_after_s[through] <= engaged.clicked_after_s[through]).all()
    assert (engaged.clicked_after_s[through] <= bought).all()


def test_email_is_opened_more_than_push_and_only_email_is_unsubscribed(market: Market) -> None:
    actions = random_actions(market, 3)
    orders = market.orders(1, ROWS, actions, EVERYBODY)
    engaged = market.engagement(1, ROWS, actions, orders)
    by_channel = [engaged.opened[actions[:, 1] == channel].mean() for channel in range(2)]
    assert by_channel[0] == pytest.approx(0.33, abs=0.02)
    assert by_channel[1] == pytest.approx(0.12, abs=0.02)
    assert set(actions[engaged.unsubscribed, 1].tolist()) == {0}
    assert set(actions[engaged.machine_opened, 1].tolist()) == {0}


def test_the_truth_needs_no_personal_trait(market: Market) -> None:
    features = market.traits.drop_columns(["user_id", "email", "plan"])
    columns = [np.asarray(features[name]).astype(float) for name in features.column_names]
    scaled = [np.clip((c - c.mean()) / c.std(), -4, 4) for c in columns]
    design = np.column_stack([np.ones(CUSTOMERS), *scaled])
    own = market.truth.base
    fitted = design @ np.linalg.lstsq(design, own, rcond=None)[0]
    assert np.abs(fitted - own).max() < 1e-9


@pytest.mark.parametrize("customers", [1, 7])
def test_a_tiny_market_works(customers: int) -> None:
    market = internet_provider(customers=customers, seed=3)
    assert market.best_actions.shape == (customers, 3)
    assert isinstance(market.traits, pa.Table)
    assert market.oracle() > market.uniform_value()


@pytest.mark.parametrize(("customers", "seed"), [(0, 1), (10, -1)])
def test_a_market_without_customers_or_with_a_negative_seed_is_refused(
    customers: int, seed: int
) -> None:
    with pytest.raises(BadMarket, match="give at least 1 customer and a seed from 0 up"):
        internet_provider(customers=customers, seed=seed)
