"""What a use case would have earned with other options, limits or another policy: from its log.

Each day is played again by the policy that decided it, which had not seen that day's rewards, over
what people could have got under the changed definition. What is estimated is the mean reward of a
decision, one by one: that sends come more or less often, or that money is spent another way, a log
cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from opportune import decisions, stats
from opportune.decisions import Changed, NotComparable, UseCase
from opportune.learning.again import Again, Log, Play, assess, play_again
from opportune.learning.evaluate import Evaluated, difference
from opportune.storage import Stores

__all__ = ["WhatIf", "what_if"]

LEAST_SUPPORT = 0.95
REMEDIES = (
    "Ask again after more days, or take fewer options away.",
    "A larger exploration_min or random_share lets the log tell of what is seldom chosen.",
)
NAMES = {
    "IPS": "ips",
    "SNIPS": "snips",
    "DR": "doubly_robust",
    "Switch-DR": "switch_dr",
    "PI": "pseudo_inverse",
    "PI-DR": "pseudo_inverse_dr",
}
# To go by the first of these that can be trusted: the second has a bias where options of several
# dimensions matter together.
BEST = ("DR", "PI-DR")


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What another definition or policy would have earned on the days of a log, a decision each.

    ``unit`` is that of all values. ``logged``: what these decisions did earn. ``value`` is the
    estimate to go by, made by ``estimator``; all of them are in ``estimates``. ``change``: how much
    more than ``logged``, row by row; None where ``value`` is not doubly robust.
    ``unsupported_share``: 0 to 1, the part of its play that the log never played. ``outside`` rows
    are of people who are not in the audience, ``without`` rows of people left without any option;
    both are left out. ``refusals``: why no number is to be trusted; empty where one is.
    """

    as_of: datetime
    use_case: str
    version: int
    metric: str
    unit: str
    plays: str
    first_day: date | None
    last_day: date | None
    days: int
    decisions: int
    outside: int
    without: int
    logged: stats.Estimate | None
    estimator: str
    value: stats.Estimate | None
    estimates: Mapping[str, stats.Estimate]
    change: stats.Interval | None
    unsupported_share: float | None
    notes: tuple[str, ...]
    refusals: tuple[stats.Refusal, ...]
    answer: str


def what_if(stores: Stores, log: Log, changed: UseCase, *, play: Play, now: datetime) -> WhatIf:
    """Estimate what ``changed`` would have earned on the days of ``log``, if ``play`` chose.

    Estimators: `learning.evaluate`; rows are taken as independent. Raises ``NotComparable``.
    """
    before = log.before
    if before.success_metric != changed.success_metric:
        raise NotComparable(
            f"Success metric '{changed.success_metric}' given; the rewards of the log of "
            f"'{before.name}' are of '{before.success_metric}'. Keep it."
        )
    found = decisions.changed_from(stores, before, changed, now=now)
    parts, counts = play_again(stores, found, log, play)
    facts: dict[str, Any] = {
        "as_of": now,
        "use_case": before.name,
        "version": before.version,
        "metric": log.metric.name,
        "unit": log.metric.unit,
        "plays": _plays(before, play),
        "first_day": min(counts.days, default=None),
        "last_day": max(counts.days, default=None),
        "days": len(counts.days),
        "outside": counts.outside,
        "without": counts.without,
        "notes": tuple(_notes(found, counts)),
    }
    if not parts:
        return _nothing(facts, _no_rows(log, counts))
    return _answered(facts, *assess(parts))


def _plays(before: UseCase, play: Play) -> str:
    if play.kind == "uniform":
        return "every option alike"
    if play.kind == "fixed":
        return "always " + " + ".join(play.action)
    return f"the policy of each day ({before.policy})"


def _notes(found: Changed, counts: Again) -> Iterator[str]:
    rules = len(found.told.column_names) - 1
    if rules:
        yield (
            f"{rules} {'rule is' if rules == 1 else 'rules are'} not of the log: what is known of "
            "people now was asked, not what was known then."
        )
    if counts.outside:
        yield f"{counts.outside:,} decisions were for people who are not in this audience now."
    if counts.without:
        yield f"{counts.without:,} decisions were for people who would be left without any option."
    if counts.forgotten:
        yield f"{counts.forgotten:,} days are left out: their policies are not kept any more."
    before, changed = found.before, found.changed
    if (before.constraints.cooldowns, before.constraints.caps, before.budget) != (
        changed.constraints.cooldowns,
        changed.constraints.caps,
        changed.budget,
    ):
        yield "How often people are sent something, and a budget, are as they were in the log."


def _no_rows(log: Log, counts: Again) -> stats.Refusal:
    if counts.forgotten and not counts.days:
        return stats.Refusal(
            reason="No policy of the days in the log is kept any more.",
            remedies=("Ask what policy uniform or fixed would have earned.",),
        )
    if log.days:
        return stats.Refusal(
            reason="Nobody of the log is left with any option.",
            remedies=("Leave more options, or take the rule away.",),
        )
    return stats.Refusal(
        reason="No decision that was sent has its rewards yet.",
        remedies=(
            "Start it, and ask again when the window of its metric is over.",
            "`opportune readiness` says before the start when a lift would be known.",
        ),
    )


def _nothing(facts: Mapping[str, Any], refusal: stats.Refusal) -> WhatIf:
    return WhatIf(
        **facts,
        decisions=0,
        logged=None,
        estimator="",
        value=None,
        estimates={},
        change=None,
        unsupported_share=None,
        refusals=(refusal,),
        answer=f"Nothing can be said: {refusal.reason} {refusal.remedies[0]}",
    )


def _answered(facts: Mapping[str, Any], found: Evaluated, was: Evaluated) -> WhatIf:
    estimates = {
        name: each for name, of in NAMES.items() if (each := getattr(found, of)) is not None
    }
    estimator = next((n for n in BEST if n in estimates and estimates[n].trustworthy), BEST[0])
    value = estimates[estimator]
    change = difference(found, was) if estimator == "DR" else None
    refusals: tuple[stats.Refusal, ...] = ()
    if not value.trustworthy:
        refusals = (stats.Refusal(reason=value.reason, remedies=REMEDIES),)
    unsupported = 1.0 - found.supported_share
    if refusals:
        answer = f"Nothing can be said: {value.reason} {REMEDIES[0]}"
    else:
        answer = _answer(facts, value, was.snips, change)
    if unsupported > 1 - LEAST_SUPPORT:
        answer += f" The log never played {unsupported:.0%} of it; of that nothing is known."
    return WhatIf(
        **facts,
        decisions=value.count,
        logged=was.snips,
        estimator=estimator,
        value=value,
        estimates=estimates,
        change=change,
        unsupported_share=unsupported,
        refusals=refusals,
        answer=answer,
    )


def _answer(
    facts: Mapping[str, Any],
    value: stats.Estimate,
    was: stats.Estimate,
    change: stats.Interval | None,
) -> str:
    """Say whether it would have been better, with the number and its interval."""
    said = (
        f"About {value.value:.4g} {facts['unit']} a decision (between {value.low:.4g} and "
        f"{value.high:.4g}); it was {was.value:.4g}"
    )
    if change is None or change.low is None or change.high is None:
        return f"{said}."
    if change.low > 0:
        return f"Better. {said}."
    return f"{'Worse' if change.high < 0 else 'No difference seen'}. {said}."
