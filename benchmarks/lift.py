"""Lift against control: false alarms, power and coverage, in use cases whose truth is known.

Use cases of 60 days with 2,000 new customers a day, 10 % of them in control, and conversions at
3 %, looked at on every day. Ours is `stats.lift` itself, as the reports call it, with the count at
which it is tightest chosen from the plan and with the default. Beside it: one fixed test on the
last day, the fixed test looked at daily, planned looks, and the always-valid method of GrowthBook's
gbstats 0.8, whose formula is written down here once more because the library wants an old NumPy;
the tests hold it against figures of the library. Then CUPED, and groups of the wrong size.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from opportune import stats

EXPERIMENTS = 1000
DAYS, A_DAY, CONTROL_SHARE, RATE = 60, 2000, 0.1, 0.03
EFFECTS = (0.0, 0.1, 0.2, 0.4)
CORRELATIONS = (0.3, 0.5, 0.7, 0.9)
OUTLOOK = stats.Outlook.of_rate(RATE, control_share=CONTROL_SHARE, units_a_day=A_DAY)
PLANNED = stats.tightest_for(OUTLOOK, days=DAYS)

Floats = NDArray[np.float64]
Shares = dict[str, float]


def main(arguments: list[str] | None = None) -> None:
    """Print the tables; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--experiments", type=int, default=EXPERIMENTS, help="of each kind")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    figures: dict[str, object] = {"experiments": options.experiments}
    figures["read_outs"] = read_outs(options.experiments)
    figures["predicted"] = predicted()
    figures["same_people_daily"] = same_people_daily(options.experiments)
    figures["adjusted"] = adjusted(max(10, options.experiments // 5))
    figures["sample_ratio"] = sample_ratios(options.experiments)
    print(f"{time.perf_counter() - began:.1f} s")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Customers and conversions of both groups by the end of each day, (experiments, days)."""

    treated: int
    left: int
    successes: NDArray[np.int64]
    control_successes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Whether zero was left out, and whether the truth was inside, at each look."""

    found: NDArray[np.bool_]
    covered: NDArray[np.bool_]


def simulated(effect: float, experiments: int, *, seed: int) -> Days:
    random = np.random.default_rng(seed)
    left = round(A_DAY * CONTROL_SHARE)
    shape = (experiments, DAYS)
    return Days(
        treated=A_DAY - left,
        left=left,
        successes=random.binomial(A_DAY - left, RATE * (1 + effect), shape).cumsum(axis=1),
        control_successes=random.binomial(left, RATE, shape).cumsum(axis=1),
    )


def read_outs(experiments: int) -> dict[str, Shares]:
    """Every method on the same use cases, without an effect and with three of them."""
    worlds = {effect: simulated(effect, experiments, seed=1) for effect in EFFECTS}
    methods: dict[str, Callable[[Days, float], Read]] = {
        "any look, tightest by plan": lambda days, effect: ours(days, effect, PLANNED),
        "any look, tightest by default": lambda days, effect: ours(days, effect, stats.TIGHTEST_AT),
        "gbstats, relative": lambda days, effect: gbstats_read(days, effect, relative=True),
        "gbstats, absolute": lambda days, effect: gbstats_read(days, effect, relative=False),
        "10 planned looks": lambda days, _: planned(days, looks=10),
        "60 planned looks": lambda days, _: planned(days, looks=DAYS),
        "fixed, once on day 60": lambda days, _: planned(days, looks=1),
        "fixed, looked at daily": lambda days, _: daily(days),
    }
    print(f"{'':30}{'false alarms (95 %)':>24}{'+10 %':>8}{'+20 %':>8}{'+40 %':>8}", end="")
    print(f"{'day +20 %':>11}{'day +40 %':>11}{'covers +20 %':>14}")
    rows = {}
    for name, method in methods.items():
        rows[name] = row = summary({effect: method(worlds[effect], effect) for effect in EFFECTS})
        around = f"({row['false_low']:.3f} to {row['false_high']:.3f})"
        print(f"{name:30}{row['false']:>8.3f} {around:>15}", end="")
        print("".join(f"{row[f'power_{effect}']:>8.3f}" for effect in EFFECTS[1:]), end="")
        print("".join(f"{row[f'day_{effect}']:>11.0f}" for effect in EFFECTS[2:]), end="")
        print(f"{row['covers']:>14.3f}" if "covers" in row else f"{'-':>14}")
    return rows


def summary(reads: dict[float, Read]) -> Shares:
    """False alarms and power at any look, the median day, the share that always covers."""
    firsts = {effect: first_days(read.found) for effect, read in reads.items()}
    alarms = int(np.isfinite(firsts[0.0]).sum())
    count = len(firsts[0.0])
    around = binomtest(alarms, count).proportion_ci()
    row = {"false": alarms / count, "false_low": around.low, "false_high": around.high}
    for effect in EFFECTS[1:]:
        row[f"power_{effect}"] = float(np.isfinite(firsts[effect]).mean())
        row[f"day_{effect}"] = float(np.median(firsts[effect]))
    if reads[0.2].covered.size:
        row["covers"] = float(reads[0.2].covered.all(axis=1).mean())
        row["covers_none"] = float(reads[0.0].covered.all(axis=1).mean())
    return row


def first_days(found: NDArray[np.bool_]) -> Floats:
    return np.where(found.any(axis=1), found.argmax(axis=1) + 1.0, np.inf)


def conversions(successes: int, of: int) -> stats.Moments:
    return stats.Moments(count=of, mean=successes / of, m2=successes - successes**2 / of)


def ours(days: Days, effect: float, tightest_at: int) -> Read:
    """The product's own lift, at every look of every use case. No bounds leave nothing out."""
    found = np.zeros(days.successes.shape, dtype=bool)
    covered = np.ones(days.successes.shape, dtype=bool)
    counts = zip(days.successes.tolist(), days.control_successes.tolist(), strict=True)
    for experiment, looks in enumerate(counts):
        for day, (treated, left) in enumerate(zip(*looks, strict=True)):
            result = stats.lift(
                conversions(treated, days.treated * (day + 1)),
                conversions(left, days.left * (day + 1)),
                method="any_look",
                tightest_at=tightest_at,
            )
            if result.low is not None and result.high is not None:
                found[experiment, day] = result.low > 0 or result.high < 0
                covered[experiment, day] = result.low <= effect <= result.high
    return Read(found=found, covered=covered)


def means(days: Days) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Both means, the variances of both, and the customers of both groups together."""
    looks = np.arange(1.0, DAYS + 1)
    treated, left = days.treated * looks, days.left * looks
    t, c = days.successes / treated, days.control_successes / left
    return t, c, t * (1 - t) / treated, c * (1 - c) / left, treated + left


def gbstats_bounds(days: Days, *, relative: bool, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """The interval of SequentialTwoSidedTTest of gbstats 0.8 with its tuning of 5,000."""
    t, c, t_error, c_error, count = means(days)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = t_error / c**2 + c_error * t**2 / c**4 if relative else t_error + c_error
        value = (t - c) / c if relative else t - c
    spread = -2 * math.log(alpha)
    scale = count * (spread + math.log(spread + 1)) / 5000
    width = np.sqrt(variance * 2 * (scale + 1) / scale * np.log(np.sqrt(scale + 1) / alpha))
    return value - width, value + width


def gbstats_read(days: Days, effect: float, *, relative: bool) -> Read:
    low, high = gbstats_bounds(days, relative=relative)
    known = (days.successes > 0) & (days.control_successes > 0)
    truth = effect if relative else effect * RATE
    return Read(
        found=known & ((low > 0) | (high < 0)),
        covered=~known | ((low <= truth) & (truth <= high)),
    )


def errors_of(days: Days) -> Floats:
    t, c, t_error, c_error, _ = means(days)
    spread = t_error + c_error
    return np.abs(t - c) / np.sqrt(np.where(spread > 0, spread, np.inf))


def planned(days: Days, *, looks: int) -> Read:
    """Looks at even distances, the last one on the last day; one look is the fixed test."""
    plan, found = stats.group_sequential(looks), np.zeros(days.successes.shape, dtype=bool)
    at = np.array([math.ceil(DAYS * share - 1e-9) - 1 for share in plan.fractions])
    found[:, at] = errors_of(days)[:, at] > np.array(plan.boundaries)
    return Read(found=found, covered=np.zeros((0, 0), dtype=bool))


def daily(days: Days) -> Read:
    found = errors_of(days) > stats.boundary(1, confidence=0.95, method="fixed")
    return Read(found=found, covered=np.zeros((0, 0), dtype=bool))


def predicted() -> dict[str, Shares]:
    """What `stats.chance_to_find` and `stats.days_to_find` said of these use cases before."""
    found: dict[str, Shares] = {}
    print(f"\n{'predicted':30}{'':24}{'+10 %':>8}{'+20 %':>8}{'+40 %':>8}", end="")
    print(f"{'day +20 %':>11}{'day +40 %':>11}{'80 % +20 %':>14}")
    methods: tuple[stats.Reading, ...] = ("any_look", "group_sequential", "fixed")
    for method in methods:
        read_out = stats.ReadOut(method=method, tightest_at=PLANNED)
        row = {
            f"power_{effect}": stats.chance_to_find(OUTLOOK, effect, days=DAYS, read_out=read_out)
            for effect in EFFECTS[1:]
        }
        for effect in EFFECTS[2:]:
            wait = stats.days_to_find(OUTLOOK, effect, read_out=read_out)
            row[f"day_{effect}"] = float(wait.typical_days or 0)
            row[f"days_{effect}"] = float(wait.days or 0)
        print(f"{method:54}{row['power_0.1']:>8.3f}{row['power_0.2']:>8.3f}", end="")
        print(f"{row['power_0.4']:>8.3f}{row['day_0.2']:>11.0f}{row['day_0.4']:>11.0f}", end="")
        print(f"{row['days_0.2']:>14.0f}")
        found[method] = row
    return found


def same_people_daily(experiments: int) -> Shares:
    """No effect, and the same 20,000 people on every day: their rewards grow, their count not."""
    random, people = np.random.default_rng(3), {"treated": 18_000, "left": 2000}
    sums = {
        name: random.binomial(count, RATE, (experiments, DAYS)).cumsum(axis=1)
        for name, count in people.items()
    }
    alarms = 0
    for treated, left in zip(sums["treated"].tolist(), sums["left"].tolist(), strict=True):
        for day, (mine, other) in enumerate(zip(treated, left, strict=True), start=1):
            result = stats.lift(
                repeated(mine, people["treated"], day), repeated(other, people["left"], day)
            )
            if (result.low or 0.0) > 0 or (result.high or 0.0) < 0:
                alarms += 1
                break
    around = binomtest(alarms, experiments).proportion_ci()
    found = {"false": alarms / experiments, "low": around.low, "high": around.high}
    print(f"\nthe same people daily: false alarms {found['false']:.3f}", end=" ")
    print(f"({around.low:.3f} to {around.high:.3f})")
    return found


def repeated(successes: int, people: int, days: int) -> stats.Moments:
    rate = successes / people / days
    spread = people * days * rate * (1 - rate)
    return stats.Moments(count=people, mean=successes / people, m2=spread)


def adjusted(experiments: int) -> dict[str, Shares]:
    """Widths with a covariate beside those without, and what theory says of them."""
    found: dict[str, Shares] = {}
    print(f"\n{'CUPED':30}{'width':>8}{'theory':>8}{'covers':>8}{'bias':>9}{'days':>6}")
    for correlation in CORRELATIONS:
        random, ratios, lifts, covered = np.random.default_rng(4), [], [], 0
        for _ in range(experiments):
            result = stats.adjusted_lift(
                drawn(random, 18_000, 5.5, correlation), drawn(random, 2000, 5.0, correlation)
            )
            low, high = bounds(result.lift)
            plain_low, plain_high = bounds(result.plain)
            ratios.append((high - low) / (plain_high - plain_low))
            lifts.append(result.lift.treatment_mean / result.lift.control_mean - 1)
            covered += low <= 0.1 <= high
        outlook = stats.Outlook(
            mean=RATE,
            variance=OUTLOOK.variance,
            rewarded_share=RATE,
            control_share=CONTROL_SHARE,
            units_a_day=A_DAY,
            explained_share=correlation**2,
        )
        wait = stats.days_to_find(outlook, 0.2, read_out=stats.ReadOut(method="any_look"))
        row = {
            "width": float(np.mean(ratios)),
            "theory": math.sqrt(1 - correlation**2),
            "covers": covered / experiments,
            "bias": float(np.mean(lifts)) - 0.1,
            "days": float(wait.days or 0),
        }
        found[str(correlation)] = row
        print(f"{f'r = {correlation}':30}{row['width']:>8.3f}{row['theory']:>8.3f}", end="")
        print(f"{row['covers']:>8.3f}{row['bias']:>9.5f}{row['days']:>6.0f}")
    return found


def bounds(lift: stats.Lift) -> tuple[float, float]:
    assert lift.low is not None, lift.reason
    assert lift.high is not None, lift.reason
    return lift.low, lift.high


def drawn(
    random: np.random.Generator, count: int, mean: float, correlation: float
) -> stats.JointMoments:
    before = random.normal(size=count)
    own = random.normal(size=count) * math.sqrt(1 - correlation**2)
    return stats.joint_moments(mean + correlation * before + own, before)


def sample_ratios(experiments: int) -> Shares:
    """The share of broken splits of 100,000 that is found; without a break, of false alarms."""
    random, found = np.random.default_rng(5), {}
    cases = {
        "10 % meant, 10 %": (0.1, 0.1),
        "10 % meant, 11 %": (0.1, 0.11),
        "50 % meant, 50 %": (0.5, 0.5),
        "50 % meant, 51 %": (0.5, 0.51),
        "50 % meant, 1 % of control lost": (0.5, 0.495 / 0.995),
    }
    print(f"\n{'groups of 100,000':34}{'found':>8}")
    for name, (meant, true) in cases.items():
        counts = random.binomial(100_000, true, experiments).tolist()
        shares = {"treatment": 1 - meant, "control": meant}
        found[name] = float(
            np.mean(
                [
                    stats.sample_ratio(
                        {"treatment": 100_000 - count, "control": count}, shares
                    ).suspicious
                    for count in counts
                ]
            )
        )
        print(f"{name:34}{found[name]:>8.3f}")
    return found


if __name__ == "__main__":
    main()
