"""How near off-policy estimates come to the known truth, on logs of our own learner.

In a world a learner plays some days; what it then plays as a committee of 32 draws with a twentieth
of uniform play is the log. The target is another committee, of 8 draws: of the same day, or of two
days later, which plays much that the log hardly ever did. The reward model is the logging
learner's own: neither has seen the log's rows. Errors are relative to the target's true value on
the log's customers. "Covered" is how often the 95 % interval held the truth where there was one;
"refused" how often there was none. Beside ours, where it is installed (`make peers`), the
estimators of the library obp on the same logs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from opportune import learning, stats
from opportune.policies import (
    ActionDistribution,
    ActionSpace,
    Batch,
    Draw,
    Eligibility,
    FactoredThompson,
    draw,
    probability,
    seed,
    uniforms,
)
from opportune.simulate import FEATURES, World, make_world

WORLDS = ("static60", "many")
LEARNED_DAYS = 4
DAYS_LATER = "0,2"
CUSTOMERS = 20_000
ROWS = 50_000
UNIFORM_SHARE = 0.05
DRAWS, TARGET_DRAWS = 32, 8
CLUSTER = (0, 1)
"""The two dimensions that some weights are of."""
HEAD = ("rmse", "bias", "covered", "refused", "effective rows", "mean weight")
OBP = Path(__file__).parent / "learners" / "second_opinion.py"
PEERS = Path(".venv-peers/bin/python")

Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A log as estimators need it, and the target's true value on its customers."""

    rewards: Array
    propensities: Array
    targets: Array
    by_option: tuple[Array, Array]
    by_cluster: tuple[Array, Array]
    predicted: Array
    expected: Array
    supported_share: float
    truth: float


def main(arguments: list[str] | None = None) -> None:
    """Print a table a world; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--worlds", default=",".join(WORLDS), help="of opportune.simulate")
    parser.add_argument("--seeds", type=int, default=3, help="worlds of each name")
    parser.add_argument("--logs", type=int, default=4, help="logs of each world")
    parser.add_argument("--later", default=DAYS_LATER, help="days that the target is older")
    parser.add_argument("--rows", type=int, default=ROWS, help="decisions of a log")
    parser.add_argument("--obp", type=Path, default=PEERS, help="Python that has obp")
    options = parser.parse_args(arguments)
    figures = {}
    for name, later in product(options.worlds.split(","), map(int, options.later.split(","))):
        found: dict[str, list[Mapping[str, float]]] = defaultdict(list)
        supported = []
        for number in range(1, options.seeds + 1):
            world = make_world(name, seed=number)
            for columns in logs_of(world, later=later, logs=options.logs, rows=options.rows):
                supported.append(columns.supported_share)
                for estimator, figures_of_log in rows_of(columns, options.obp).items():
                    found[estimator].append(figures_of_log)
        figures[f"{name}, {later} days later"] = table = {
            "supported_share": float(np.mean(supported)),
            "estimators": {each: summary(rows) for each, rows in found.items()},
        }
        print(
            f"{name}: {world.space.combinations} combinations, target {later} days older, "
            f"{len(supported)} logs; the log has {np.mean(supported):.1%} of the target's play"
        )
        show(table["estimators"])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def logs_of(world: World, *, later: int, logs: int, rows: int) -> list[Columns]:
    """Logs of new customers each, all of one learner at one time; the target is the same."""
    policy = FactoredThompson(
        world.space, len(FEATURES), reward="binary", draws=DRAWS, uniform_share=UNIFORM_SHARE
    )
    for index in range(LEARNED_DAYS):
        policy = after_a_day(world, policy, index)
    older = policy
    for index in range(LEARNED_DAYS, LEARNED_DAYS + later):
        older = after_a_day(world, older, index)
    target = replace(older, draws=TARGET_DRAWS)
    first = LEARNED_DAYS + later
    return [columns_of(world, policy, target, index, rows) for index in range(first, first + logs)]


def after_a_day(world: World, policy: FactoredThompson, index: int) -> FactoredThompson:
    batch, _, _ = played(world, policy, index, CUSTOMERS)
    return policy.update(batch)


def played(
    world: World, policy: FactoredThompson, index: int, customers: int
) -> tuple[Batch, Draw, ActionDistribution]:
    day = world.day(index, customers)
    key = f"offpolicy:{world.name}:{world.seed}:{index}"
    play = policy.distribution(day.features, day.eligible, seed=seed(key))
    drawn = draw(play, uniforms(key, np.arange(customers)))
    batch = Batch(
        features=day.features,
        actions=drawn.actions,
        rewards=world.rewards(day, drawn.actions),
        propensities=drawn.propensities,
    )
    return batch, drawn, play


def columns_of(
    world: World, policy: FactoredThompson, target: FactoredThompson, index: int, rows: int
) -> Columns:
    batch, drawn, play = played(world, policy, index, rows)
    day = world.day(index, rows)
    wanted = target.distribution(day.features, day.eligible, seed=seed(f"target:{index}"))
    log = learning.Logged(
        space=world.space,
        features=batch.features,
        eligible=day.eligible,
        actions=batch.actions,
        propensities=batch.propensities,
        rewards=batch.rewards,
    )
    expected, supported_share = learning.expected_under(log, wanted, policy.expected)
    truth, _ = learning.expected_under(log, wanted, lambda _, actions: world.expected(day, actions))
    by_option = [np.empty(batch.actions.shape) for _ in range(2)]
    for d in range(len(world.space.sizes)):
        for column, each in zip(by_option, (play, wanted), strict=True):
            column[:, d] = marginal(each, batch.actions, (d,))
    return Columns(
        rewards=batch.rewards,
        propensities=drawn.propensities,
        targets=probability(wanted, batch.actions),
        by_option=(by_option[0], by_option[1]),
        by_cluster=(
            marginal(play, batch.actions, CLUSTER),
            marginal(wanted, batch.actions, CLUSTER),
        ),
        predicted=policy.expected(batch.features, batch.actions),
        expected=expected,
        supported_share=supported_share,
        truth=float(truth.mean()),
    )


def marginal(play: ActionDistribution, actions: Array, dimensions: tuple[int, ...]) -> Array:
    """How likely the options of some dimensions were together: everything is eligible here."""
    some = list(dimensions)
    return probability(
        ActionDistribution(
            space=ActionSpace(dimensions=tuple(play.space.dimensions[d] for d in some)),
            support=np.ascontiguousarray(play.support[:, :, some]),
            weights=play.weights,
            uniform_share=play.uniform_share,
            eligible=Eligibility(options=play.eligible.options[:, some]),
        ),
        np.ascontiguousarray(actions[:, some]),
    )


def rows_of(columns: Columns, obp: Path) -> dict[str, dict[str, float]]:
    """Each estimator's error on one log, and its diagnostics."""
    found = {
        "DM": {"error": float(columns.expected.mean()) / columns.truth - 1},
        **{name: row(estimate(), columns) for name, estimate in estimators(columns).items()},
    }
    for name, value in second_opinion(columns, obp).items():
        found[f"obp {name}"] = {"error": value / columns.truth - 1}
    return found


def estimators(columns: Columns) -> dict[str, Callable[[], stats.Estimate]]:
    whole = {"propensities": columns.propensities, "targets": columns.targets}
    option = dict(zip(("propensities", "targets"), columns.by_option, strict=True))
    cluster = dict(zip(("propensities", "targets"), columns.by_cluster, strict=True))
    model = {"predicted": columns.predicted, "expected": columns.expected}
    rewards = columns.rewards
    return {
        "IPS": partial(stats.ips, rewards, **whole),
        "SNIPS": partial(stats.snips, rewards, **whole),
        "DR": partial(stats.doubly_robust, rewards, **whole, **model),
        "Switch-DR": partial(stats.switch_dr, rewards, **whole, **model),
        "PI": partial(stats.pseudo_inverse, rewards, **option),
        "PI-DR": partial(stats.pseudo_inverse_dr, rewards, **option, **model),
        "IPS, two dims": partial(stats.ips, rewards, **cluster),
        "DR, two dims": partial(stats.doubly_robust, rewards, **cluster, **model),
    }


def row(found: stats.Estimate, columns: Columns) -> dict[str, float]:
    if found.value is None:
        raise SystemExit(f"An estimator has no value: {found.reason}")
    figures = {
        "error": found.value / columns.truth - 1,
        "effective_rows": found.effective_sample_size,
        "mean_weight": found.mean_weight,
        "refused": float(not found.trustworthy),
    }
    if found.low is not None and found.high is not None:
        figures["covered"] = float(found.low <= columns.truth <= found.high)
    return figures


def second_opinion(columns: Columns, obp: Path) -> dict[str, float]:
    """What obp says of the same log; nothing where it is not installed."""
    if not obp.exists():
        return {}
    arrays = {
        name: getattr(columns, name)
        for name in ("rewards", "propensities", "targets", "predicted", "expected")
    }
    process = subprocess.run(
        [str(obp), str(OBP)],
        input=json.dumps({name: array.tolist() for name, array in arrays.items()}),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    answer: dict[str, float] = json.loads(process.stdout)
    return answer


def summary(rows: list[Mapping[str, float]]) -> dict[str, float | None]:
    errors = np.array([each["error"] for each in rows])
    names = ("covered", "refused", "effective_rows", "mean_weight")
    known = {name: [each[name] for each in rows if name in each] for name in names}
    return {
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "bias": float(errors.mean()),
        **{name: float(np.mean(each)) if each else None for name, each in known.items()},
    }


def show(estimators: Mapping[str, Mapping[str, float | None]]) -> None:
    forms = ("{:.1%}", "{:+.1%}", "{:.0%}", "{:.0%}", "{:,.0f}", "{:.3f}")
    print(f"{'estimator':<16}" + "".join(f"{each:>16}" for each in HEAD))
    for estimator, figures in estimators.items():
        values = [figures[name.replace(" ", "_")] for name in HEAD]
        cells = [
            "" if value is None else form.format(value)
            for form, value in zip(forms, values, strict=True)
        ]
        print((f"{estimator:<16}" + "".join(f"{each:>16}" for each in cells)).rstrip())
    print(flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
