"""How fast decisions are made as the action space grows, with exact propensities, beside floors.

For 60 to 100,000 combinations and committees of 8 and 32 draws: the best action of every profile
under every draw, and the draw with its propensities. The floors, of the same run and data: one
single-precision matrix product (BLAS) of the unary scores, and a copy of the answer. Each case runs
in a process of its own, so that its peak memory is its own. The committees have a common mean
(effects of 0.35 logits, pairs of 0.12) and draws around it that differ by a fifth of that.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np

from opportune.policies import (
    ActionDistribution,
    ActionSpace,
    Batch,
    Dimension,
    FactoredThompson,
    draw,
    everything,
    uniforms,
)
from opportune.policies.argmax import Committee, best_actions

PROFILES = 200_000
FEATURES = 12
SPREAD = 0.2
SPACES = ((4, 5, 3), (10,) * 3, (10,) * 4, (10,) * 5)
DRAWS = (8, 32)
REPEATS = 3


def main(arguments: list[str] | None = None) -> None:
    """Print the tables; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--profiles", type=int, default=PROFILES, help="deciding for so many")
    parser.add_argument("--features", type=int, default=FEATURES, help="basis functions beside 1")
    parser.add_argument("--case", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.case:
        space, draws = options.case
        print(json.dumps(decided(SPACES[space], draws, options.profiles, options.features)))
        return
    figures = learned()
    for name, value in figures.items():
        print(f"{name:<34} {value:>14,.3f}")
    print(f"{'combinations x draws':>22}{'decisions/s':>14}{'/product':>10}{'/copy':>10}{'MB':>8}")
    for space, sizes in enumerate(SPACES):
        for draws in DRAWS:
            case = alone(space, draws, options)
            name = f"{math.prod(sizes)}x{draws}"
            print(
                f"{name:>22}{case['decisions_per_s']:>14,.0f}{case['over_product']:>10,.1f}"
                f"{case['over_copy']:>10,.1f}{case['peak_mb']:>8,.0f}"
            )
            figures |= {f"{key}_{name}": value for key, value in case.items()}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def alone(space: int, draws: int, options: argparse.Namespace) -> dict[str, float]:
    """One case, in a process of its own; the product on one thread, so that the floor is steady."""
    command = [sys.executable, __file__, "--case", str(space), str(draws)]
    command += ["--profiles", str(options.profiles), "--features", str(options.features)]
    environ = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environ)
    case: dict[str, float] = json.loads(answer.stdout)
    return case


def decided(sizes: tuple[int, ...], draws: int, profiles: int, features: int) -> dict[str, float]:
    """Decide for all profiles, the search compiled before; the best of a few runs."""
    space, numbers = space_of(sizes), uniforms("benchmark", np.arange(profiles))
    committee = committee_of(sizes, features + 1, draws)
    basis = np.random.default_rng(2).normal(size=(profiles, features + 1)).astype(np.float32)
    eligible = everything(space, profiles)
    weights = np.broadcast_to(np.float64(0.99 / draws), (profiles, draws))

    def decide() -> np.ndarray:
        support = best_actions(space, committee, lambda rows: basis[rows], eligible)
        play = ActionDistribution(
            space=space,
            support=support,
            weights=weights,
            uniform_share=0.01,
            eligible=eligible,
        )
        draw(play, numbers)
        return support

    support = decide()
    # Later runs hold two answers at once: this one, and their own.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    taken = seconds(decide)
    return {
        "decisions_per_s": profiles / taken,
        "over_product": taken / seconds(product_of(basis, committee)),
        "over_copy": taken / seconds(support.copy),
        "peak_mb": peak,
    }


def learned() -> dict[str, float]:
    """Rates in rows per second of learning at 60 combinations, and one decision by itself."""
    space, random = space_of(SPACES[0]), np.random.default_rng(1)
    rows = Batch(
        features=random.normal(size=(PROFILES, FEATURES)),
        actions=space.actions()[random.integers(0, space.combinations, PROFILES)],
        rewards=(random.random(PROFILES) < 0.03).astype(np.float64),
        propensities=np.full(PROFILES, 1 / space.combinations),
    )
    policy = FactoredThompson(space, FEATURES, reward="binary").update(rows)
    one = rows.features[:1]
    return {
        "update_rows_per_s": PROFILES / seconds(lambda: policy.update(rows)),
        "expected_rows_per_s": PROFILES
        / seconds(lambda: policy.expected(rows.features, rows.actions)),
        "one_decision_ms": 1000
        * seconds(lambda: policy.distribution(one, everything(space, 1), seed=1)),
    }


def space_of(sizes: tuple[int, ...]) -> ActionSpace:
    return ActionSpace(
        dimensions=tuple(
            Dimension(name=str(d), options=tuple(map(str, range(size))))
            for d, size in enumerate(sizes)
        )
    )


def committee_of(sizes: tuple[int, ...], functions: int, draws: int) -> Committee:
    random = np.random.default_rng(1)

    def drawn(*shape: int, scale: float) -> np.ndarray:
        around = random.normal(size=(draws, *shape)) * SPREAD
        return ((random.normal(size=shape) + around) * scale).astype(np.float32)

    unary = drawn(functions, sum(sizes), scale=0.35 / math.sqrt(len(sizes) * functions))
    pairs = combinations(range(len(sizes)), 2)
    return Committee(
        unary=unary.transpose(1, 0, 2),
        pairs=tuple((d, e, drawn(sizes[d], sizes[e], scale=0.12)) for d, e in pairs),
    )


def product_of(basis: np.ndarray, committee: Committee) -> Callable[[], object]:
    """All unary scores, into memory that is already there."""
    right = np.ascontiguousarray(committee.unary.reshape(len(committee.unary), -1))
    scores = np.empty((1024, right.shape[1]), dtype=np.float32)

    def multiply() -> None:
        for start in range(0, len(basis), len(scores)):
            rows = basis[start : start + len(scores)]
            np.matmul(rows, right, out=scores[: len(rows)])

    return multiply


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
