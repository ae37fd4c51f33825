"""Every policy of ours trains from the stores, is kept, and goes on from what was kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

import history
from opportune import policies
from opportune.events import Metric
from opportune.learning import train
from opportune.storage import Stores

ORDERS = Metric(
    name="orders", title="Orders", event="Order", property=None, unit="orders", window_days=2
)
SETTINGS = {
    "epsilon_greedy": {"epsilon": 0.2},
    "trees": {"members": 2, "trees": 5},
    "wabbit": {"explore": "epsilon", "epsilon": 0.2},
}


def test_every_policy_trains_is_kept_and_goes_on(stores: Stores) -> None:
    told = history.past(profiles=300)
    history.write(stores, told)
    half, end = (history.FIRST_DAY + timedelta(days=each) for each in (4, history.MATURE))
    for name, settings in SETTINGS.items():
        use_case = replace(history.use_case(), policy=name, policy_settings=settings)
        stores.state.rows("delete from model where use_case = %(name)s", {"name": use_case.name})
        before = train(stores, use_case, ORDERS, half)
        after = train(stores, use_case, ORDERS, end)
        assert train(stores, use_case, ORDERS, end).policy.to_bytes() == after.policy.to_bytes()
        assert before.policy.to_bytes() != after.policy.to_bytes()
        assert (before.policy.name, after.policy.name) == (name, name)
        features = told.features[:20]
        everybody = policies.everything(use_case.space, 20)
        play = after.policy.distribution(features, everybody, seed=1)
        chosen = policies.draw(play, policies.uniforms("one", np.arange(20)))
        assert (chosen.propensities > 0).all()
        if name != "trees":
            # Each combination has its part of the uniform share of a fifth.
            least = policies.probability(play, np.zeros((20, 3), dtype=np.int16)).min()
            assert least == pytest.approx(0.2 / 12, rel=1e-5)
