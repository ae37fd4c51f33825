"""How fast a day is decided and learned, beside the floor of the arithmetic that it cannot avoid.

100,000 profiles, 12 features, 60 combinations, a committee of 32. The floor is one single-precision
matrix product (BLAS, same threads, same run) of the same unary scores: profiles x basis times
basis x (options x draws). Run with OPENBLAS_NUM_THREADS=1 for figures of one core.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from opportune.policies import (
    ActionDistribution,
    ActionSpace,
    Batch,
    Dimension,
    Eligibility,
    FactoredThompson,
    draw,
    everything,
    uniforms,
)

PROFILES = 100_000
FEATURES = 12
SIZES = (4, 5, 3)
REPEATS = 5


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    figures = measure()
    for name, value in figures.items():
        print(f"{name:<34} {value:>14,.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure() -> dict[str, float]:
    """Rates in profiles or rows per second; the best of five runs, after one to warm up."""
    policy, rows = taught()
    space = policy.space
    numbers = uniforms("benchmark", np.arange(PROFILES))
    eligible = everything(space, PROFILES)
    options = eligible.options.copy()
    options[::3, 0] &= ~1
    masked, one = Eligibility(options=options), eligible.take(slice(1))

    def play(masks: Eligibility) -> ActionDistribution:
        return policy.distribution(rows.features, masks, seed=1)

    scoring = seconds(lambda: play(eligible))
    deciding = seconds(lambda: draw(play(eligible), numbers))
    floor = seconds(floor_of(policy))
    return {
        "decisions_per_s": PROFILES / deciding,
        "decisions_with_masks_per_s": PROFILES / seconds(lambda: draw(play(masked), numbers)),
        "update_rows_per_s": PROFILES / seconds(lambda: policy.update(rows)),
        "evidence_rows_per_s": PROFILES / seconds(lambda: policy.evidence(rows)),
        "expected_rows_per_s": PROFILES
        / seconds(lambda: policy.expected(rows.features, rows.actions)),
        "one_decision_ms": 1000
        * seconds(lambda: policy.distribution(rows.features[:1], one, seed=1)),
        "floor_matmul_profiles_per_s": PROFILES / floor,
        "scoring_over_floor": scoring / floor,
    }


def taught() -> tuple[FactoredThompson, Batch]:
    """A policy that has learned from one day of uniform play, and that day."""
    space = ActionSpace(
        dimensions=tuple(
            Dimension(name=str(d), options=tuple(map(str, range(size))))
            for d, size in enumerate(SIZES)
        )
    )
    random = np.random.default_rng(1)
    rows = Batch(
        features=random.normal(size=(PROFILES, FEATURES)),
        actions=space.actions()[random.integers(0, space.combinations, PROFILES)],
        rewards=(random.random(PROFILES) < 0.03).astype(np.float64),
        propensities=np.full(PROFILES, 1 / space.combinations),
    )
    return FactoredThompson(space, FEATURES, reward="binary").update(rows), rows


def floor_of(policy: FactoredThompson) -> Callable[[], object]:
    """One product of the size of all unary scores, into memory that is already there."""
    random = np.random.default_rng(2)
    width = policy.knowledge.terms.width if policy.knowledge else 1 + FEATURES
    left = random.normal(size=(PROFILES, width)).astype(np.float32)
    right = random.normal(size=(width, sum(SIZES) * policy.draws)).astype(np.float32)
    scores = np.empty((PROFILES, right.shape[1]), dtype=np.float32)
    return lambda: np.matmul(left, right, out=scores)


def seconds(work: Callable[[], object]) -> float:
    """The shortest of a few runs: what is left when nothing else disturbs."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
