"""The nouns of a report. Shares are 0 to 1; None stands where nothing can be said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from opportune import stats
from opportune.decisions import BudgetDay

__all__ = [
    "AdjustedForEarlier",
    "BegunWith",
    "Contrast",
    "DayOfVariant",
    "DayResult",
    "DayShares",
    "DelayCurve",
    "DelayPoint",
    "DeliveryCount",
    "DimensionChoices",
    "ExploredDay",
    "Headline",
    "Insights",
    "MetricOfReport",
    "Mover",
    "OptionShare",
    "Performance",
    "SegmentLift",
    "Shadow",
    "Spending",
    "VariantResult",
    "Verdict",
]

# "groups_differ" and "groups_alike" are those of the A/A mode, in which nobody is treated.
Verdict = Literal[
    "better",
    "worse",
    "no_difference",
    "too_early",
    "no_verdict",
    "groups_differ",
    "groups_alike",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricOfReport:
    """What rewards are counted in, and how many days after a decision they may come."""

    name: str
    unit: str
    window_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantResult:
    """What the profiles of one variant earned on all mature days together.

    ``rewarded`` profiles earned anything; ``reward_mean`` is the sum divided by ``profiles``.
    """

    variant: str
    profiles: int
    rewarded: int
    reward_sum: float
    reward_mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedForEarlier:
    """The lift once more, less what ``days`` days before the first decision foretold (CUPED).

    These explain ``explained_share`` of the differences between profiles; the interval is by
    ``narrower`` narrower than the plain one, 0.2 being a fifth. ``answer`` says so in a sentence;
    ``lift`` is None where nothing could be adjusted, and ``answer`` says why.
    """

    days: int
    lift: stats.Lift | None
    explained_share: float
    narrower: float
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLift:
    """What the members of ``segment`` gained over all mature days up to ``day``.

    Members as they were when that day was summed up. ``lift`` holds at any look; ``adjusted`` is
    its chance with all segments judged together (Benjamini and Hochberg), ``found`` whether that is
    small enough. ``suspicious``: the groups have not the sizes they should have among them, so that
    a difference may come from who is a member.
    """

    segment: str
    day: date
    treatment: VariantResult
    control: VariantResult
    lift: stats.Lift
    p_value: float
    adjusted: float
    found: bool
    suspicious: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayPoint:
    """The share of rewarded decisions, 0 to 1, that were so after ``age_hours`` of their window.

    ``low`` and ``high`` hold for the whole curve at once with 95 % confidence.
    """

    age_hours: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayCurve:
    """How long rewards take to come, as of ``as_of``: the first one of each rewarded decision.

    Over ``rewarded`` decisions of the mature days ``since`` to ``until``, both None where there is
    none. ``points`` go on to the end of the window and are empty below ``least`` rewarded ones;
    then ``half_hours`` and ``most_hours``, after which 50 % and 90 % had come, are None. ``answer``
    says it in one sentence.
    """

    as_of: datetime
    use_case: str
    metric: MetricOfReport
    rewarded: int
    least: int
    since: date | None
    until: date | None
    half_hours: int | None
    most_hours: int | None
    points: tuple[DelayPoint, ...]
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfVariant:
    """One variant on one day; ``reward_mean`` is per decision, None while the day is immature."""

    decisions: int
    reward_mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """One decided day; ``exploration_share`` is that of treatment's decisions."""

    day: date
    mature: bool
    treatment: DayOfVariant
    control: DayOfVariant
    exploration_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionShare:
    """How often an option was chosen among all decisions of its dimension."""

    option: str
    decisions: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayShares:
    """The shares of one day, in the order of the dimension's options."""

    day: date
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionChoices:
    """What was chosen in one dimension for treatment, over the days that are shown and on each."""

    dimension: str
    overall: tuple[OptionShare, ...]
    days: tuple[DayShares, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """How often ``option`` went to one group of decisions, and how often to all others.

    ``group`` and ``others`` say in words who they are, such as "tenure_months over 27" and
    "tenure_months up to 27"; the counts are decisions.
    """

    feature: str
    dimension: str
    option: str
    group: str
    others: str
    group_decisions: int
    others_decisions: int
    group_share: float
    others_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """By how many log-odds ``trait`` moved what was chosen of ``dimension``, on average.

    ``trait`` None: what the options are worth to everybody; then ``dimension`` may be two, "offer
    with channel", whose options matter together.
    """

    dimension: str
    trait: str | None
    moved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCount:
    """How many recommendations are in a state of the outbox for a reason."""

    state: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """What was decided to be looked at: nothing of it was sent, nor does it count anywhere else."""

    days: int
    decisions: int
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What the options of a use case cost, in ``unit``, over all its versions.

    ``spent`` is due, ``reserved`` falls due with rewards that are still open; both together keep
    to ``total``. ``days`` are the newest that were decided under a budget. ``profit`` compares
    rewards less costs as ``lift`` compares rewards; None where costs have a unit of their own.
    """

    unit: str
    per_day: float | None
    total: float | None
    spent: float
    reserved: float
    days: tuple[BudgetDay, ...]
    profit: stats.Lift | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunWith:
    """What the policy knew before its use case began.

    ``rows`` of the file ``source`` taught it, ``left_out`` could not; rows None: ``source`` is the
    policy of another use case. ``digest``: hex digits of it. A row counts as ``share`` of an own
    one; ``outcome`` is what the reward is called there.
    """

    source: str
    digest: str
    outcome: str
    rows: int | None
    left_out: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What every page about a use case says first: ``verdict``, and in one sentence ``answer``.

    ``stopped`` says which guard rail was broken, "" where the use case goes on. ``state`` is what
    it may do now, ``shadow`` what it decided in shadow, None: nothing.
    """

    as_of: datetime
    use_case: str
    title: str
    version: int
    verdict: Verdict
    answer: str
    stopped: str = ""
    state: str = "live"
    shadow: Shadow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploredDay:
    """Treatment's decisions of one day, and the share of them that explored."""

    day: date
    decisions: int
    exploration_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Insights:
    """What one version of a use case chose, for whom and why, as of ``as_of``.

    ``days`` and ``choices`` are over the newest decided days, at most 90; ``contrasts`` and
    ``movers`` over those since ``contrasts_since``, the strongest first. ``choices`` are those for
    members of ``segment``, one of ``segments``, or for everybody where that is "".
    """

    as_of: datetime
    use_case: str
    version: int
    days: tuple[ExploredDay, ...]
    choices: tuple[DimensionChoices, ...]
    contrasts_since: date | None
    contrasts: tuple[Contrast, ...]
    movers: tuple[Mover, ...]
    segment: str = ""
    segments: tuple[str, ...] = ()
    gains: tuple[SegmentLift, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What one version of a use case did and earned, as of ``as_of``.

    ``treatment``, ``control`` and ``lift`` are over all ``mature_days``; ``days`` are the newest
    decided days, at most 90. ``sample_ratio`` is None where there is no
    control group to check. ``answer`` says ``verdict`` in one sentence. ``spending`` is None where
    nothing costs anything; ``stopped`` says which guard rail was broken, "" where the use case goes
    on. ``state`` is what the use case may do now, ``shadow`` what it decided in shadow, if it did.
    ``begun_with`` is the warm start that the newest policy goes back to, None: it learned
    everything here. ``adjusted`` is the lift beside what profiles brought before; None: not known.
    """

    as_of: datetime
    use_case: str
    title: str
    version: int
    metric: MetricOfReport
    verdict: Verdict
    answer: str
    decided_days: int
    mature_days: int
    treatment: VariantResult
    control: VariantResult
    control_share: float
    lift: stats.Lift
    sample_ratio: stats.SampleRatio | None
    days: tuple[DayResult, ...]
    spending: Spending | None = None
    stopped: str = ""
    state: str = "live"
    shadow: Shadow | None = None
    begun_with: BegunWith | None = None
    adjusted: AdjustedForEarlier | None = None
