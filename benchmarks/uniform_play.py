"""What uniform play would have earned, from a learner's log by importance weights, and the truth.

A learner plays three days of a world whose truth is known; its propensities are exact if the
estimate has no bias and its 95 % interval covers the truth as often as it says.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from opportune import stats
from opportune.policies import Batch, FactoredThompson, Policy, draw, seed, uniforms
from opportune.simulate import World, make_world

SEEDS = 100
# The first day is uniform play; then the learner plays.
CUSTOMERS = (4_000, 14_000, 14_000)
# What the learner no longer plays has weight 20, on some 40 rewarded rows of a log.
UNIFORM_SHARE = 0.05


def main(arguments: list[str] | None = None) -> None:
    """Print how many intervals cover the truth; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="worlds, one log each")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    errors, covered = [], 0
    for number in range(1, options.seeds + 1):
        found, truth = estimated(make_world("static60", seed=number))
        if found.value is None or found.low is None or found.high is None:
            raise SystemExit(f"No estimate for seed {number}: {found}.")
        covered += found.low <= truth <= found.high
        errors.append((found.value - truth) / truth)
        if sys.stderr.isatty():
            print(f"\r{number} of {options.seeds}", end="", file=sys.stderr)
    figures = {
        "seeds": options.seeds,
        "covered": int(covered),
        "mean_error": float(np.mean(errors)),
        "standard_error": float(np.std(errors) / np.sqrt(len(errors))),
    }
    print(
        f"{figures['covered']} of {figures['seeds']} intervals cover the truth; mean error "
        f"{figures['mean_error']:+.4f} of it (standard error {figures['standard_error']:.4f}); "
        f"{time.perf_counter() - began:.0f} s"
    )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def estimated(world: World) -> tuple[stats.Estimate, float]:
    """Uniform play's value by importance weights from a learner's log, and the truth."""
    policy: Policy = FactoredThompson(world.space, 12, reward="binary", uniform_share=UNIFORM_SHARE)
    rewards, propensities, truth = [], [], 0.0
    for index, customers in enumerate(CUSTOMERS):
        day = world.day(index, customers)
        key = f"{world.seed}:{index}"
        play = policy.distribution(day.features, day.eligible, seed=seed(key))
        drawn = draw(play, uniforms(key, np.arange(customers)))
        rewards.append(world.rewards(day, drawn.actions))
        propensities.append(drawn.propensities)
        truth += world.yardstick(day).uniform * customers / sum(CUSTOMERS)
        if index + 1 < len(CUSTOMERS):
            policy = policy.update(
                Batch(
                    features=day.features,
                    actions=drawn.actions,
                    rewards=rewards[-1],
                    propensities=drawn.propensities,
                )
            )
    logged = np.concatenate(propensities)
    targets = np.full(len(logged), 1.0 / world.space.combinations)
    return stats.ips(np.concatenate(rewards), propensities=logged, targets=targets), truth


if __name__ == "__main__":
    main()
