"""A policy of Opportune as a learner in a process of its own: ours.py NAME WHAT, WHAT in JSON."""

from __future__ import annotations

import json
import sys
from typing import Any, cast

import numpy as np
from wire import serve

from opportune import plugins
from opportune.policies import (
    ActionSpace,
    Batch,
    Costs,
    Dimension,
    Eligibility,
    draw,
    seed,
    uniforms,
)


class Ours:
    """Decides by `distribution` and `draw`, and keeps the propensities until the rewards come."""

    def __init__(self, name: str, what: dict[str, Any]) -> None:
        dimensions = [
            Dimension(name=f"dimension_{d}", options=tuple(map(str, range(size))))
            for d, size in enumerate(what["sizes"])
        ]
        kind = cast(Any, plugins.load(plugins.POLICIES, name))
        self.policy = kind.start(
            ActionSpace(dimensions=tuple(dimensions)),
            features=what["features"],
            reward=what["reward"],
            settings=what["settings"],
        )
        self.luck, self.day = what["luck"], 0
        self.waiting: list[np.ndarray] = []
        self.costs = costs_of(what.get("costs"))

    def decide(self, features: np.ndarray, options: np.ndarray) -> np.ndarray:
        key, self.day = f"{self.luck}:{self.day}", self.day + 1
        eligible = Eligibility(options=options)
        found = self.policy.distribution(
            features, eligible, seed=seed(f"draws:{key}"), costs=self.costs
        )
        chosen = draw(found, uniforms(f"choice:{key}", np.arange(len(features))))
        self.waiting.append(chosen.propensities)
        return chosen.actions

    def learn(self, features: np.ndarray, actions: np.ndarray, rewards: np.ndarray) -> None:
        self.policy = self.policy.update(
            Batch(
                features=features,
                actions=actions,
                rewards=rewards,
                propensities=self.waiting.pop(0),
            )
        )


def costs_of(given: dict[str, list[list[float]]] | None) -> Costs | None:
    if given is None:
        return None
    sent, rewarded = (tuple(np.array(each) for each in given[key]) for key in ("sent", "rewarded"))
    return Costs(sent=sent, rewarded=rewarded)


if __name__ == "__main__":
    serve(Ours(sys.argv[1], json.loads(sys.argv[2])))
