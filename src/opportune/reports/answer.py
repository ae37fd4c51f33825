"""Say what the numbers mean in one sentence, with the same words everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from opportune import stats
from opportune.reports.model import MetricOfReport, VariantResult, Verdict

__all__ = ["Evidence", "answer", "percent"]

# The normal approximation behind the bounds wants about so many conversions in each group.
FEWEST_REWARDED = 10
# The lift of which a report that sees no difference says when it would.
HOPED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a verdict depends on.

    ``tightest_at`` shaped the interval of ``lift``; ``outlook`` expects the days to come to be like
    the mature ones, None where they are too few to say. ``aa``: nobody was treated.
    """

    metric: MetricOfReport
    treatment: VariantResult
    control: VariantResult
    control_share: float
    lift: stats.Lift
    tightest_at: int
    outlook: stats.Outlook | None
    sample_ratio: stats.SampleRatio | None
    decided_days: int
    mature_days: int
    oldest_immature_day: date | None
    aa: bool = False


def answer(evidence: Evidence) -> tuple[Verdict, str]:
    """Return the verdict and the sentence that says it.

    "Too early" comes before any number that could mislead, and groups of the wrong size come before
    any verdict: what made them so may have made the difference, too.
    """
    if evidence.mature_days == 0:
        return "too_early", f"Too early to say: {_no_mature_day(evidence)}"
    if evidence.sample_ratio is None:
        return "no_verdict", (
            "No verdict: there is no control group to compare with. "
            "Set groups.control_share above 0."
        )
    if evidence.sample_ratio.suspicious:
        return "no_verdict", _wrong_sizes(evidence)
    for result in (evidence.treatment, evidence.control):
        if result.rewarded < FEWEST_REWARDED:
            return "too_early", (
                f"Too early to say: {result.rewarded} {_profiles(result.rewarded)} of "
                f"{result.variant} brought {evidence.metric.unit} so far, a comparison wants at "
                f"least {FEWEST_REWARDED}."
            )
    return _compared(evidence)


def percent(share: float, *, signed: bool) -> str:
    """Write a share as a percentage with one digit.

    >>> percent(0.1234, signed=True), percent(0.5, signed=False)
    ('+12.3 %', '50.0 %')
    """
    # -0.04 % is written 0.0 %, without its sign.
    value = round(share * 100, 1) + 0.0
    return f"{value:+.1f} %" if signed and value else f"{value:.1f} %"


def _no_mature_day(evidence: Evidence) -> str:
    if evidence.oldest_immature_day is None:
        return "nothing was decided yet."
    window = timedelta(days=evidence.metric.window_days)
    expected = evidence.oldest_immature_day + window
    return (
        f"none of the {evidence.decided_days} decided days is mature. The rewards of a day are "
        f"complete {evidence.metric.window_days} days later, the first about {expected}."
    )


def _wrong_sizes(evidence: Evidence) -> str:
    control, everybody = (
        evidence.control.profiles,
        evidence.control.profiles + evidence.treatment.profiles,
    )
    return (
        f"No verdict: control has {percent(control / everybody, signed=False)} of {everybody:,} "
        f"profiles and was meant to have {percent(evidence.control_share, signed=False)}. Find out "
        "why before you trust the other numbers."
    )


def _profiles(count: int) -> str:
    return "profile" if count == 1 else "profiles"


def _compared(evidence: Evidence) -> tuple[Verdict, str]:
    lift = evidence.lift
    if lift.relative is None or lift.low is None or lift.high is None:
        return "too_early", f"Too early to say: {lift.reason}"
    days = f"{evidence.mature_days} mature day{'s' if evidence.mature_days > 1 else ''}"
    found = (
        f"{percent(lift.relative, signed=True)} {evidence.metric.unit} per profile (between "
        f"{percent(lift.low, signed=True)} and {percent(lift.high, signed=True)}) over {days}."
    )
    if evidence.aa:
        return _alike(lift.low > 0 or lift.high < 0, found)
    if lift.low > 0:
        return "better", f"Treatment did better than control: {found}"
    if lift.high < 0:
        return "worse", f"Treatment did worse than control: {found}"
    return (
        "no_difference",
        f"No difference seen between treatment and control: {found}{_wait(evidence)}",
    )


def _alike(is_different: bool, found: str) -> tuple[Verdict, str]:
    """What an A/A comparison says of the program, as nobody was treated."""
    if is_different:
        return "groups_differ", (
            f"Groups differ though they were treated alike (A/A mode): {found} Find out why before "
            "you trust any verdict; five use cases in a hundred do so by chance."
        )
    return "groups_alike", f"Groups do not differ, as they were treated alike (A/A mode): {found}"


def _wait(evidence: Evidence) -> str:
    """When a lift of ``HOPED`` would be seen, if people keep coming and ordering as they did."""
    if evidence.outlook is None or evidence.outlook.largest_effect < HOPED:
        return ""
    read_out = stats.ReadOut(method="any_look", tightest_at=evidence.tightest_at)
    wait = stats.days_to_find(evidence.outlook, HOPED, read_out=read_out)
    hoped = f"{HOPED * 100:+.0f} %"
    if wait.days is None:
        return f" At this pace, {hoped} is not seen within ten years."
    more = wait.days - evidence.mature_days
    if more <= 0:
        return f" A lift of {hoped} would have been seen by now in four of five cases."
    return f" At this pace, {hoped} is seen after some {more:,} more days in four of five cases."
