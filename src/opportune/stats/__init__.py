"""Pure maths over evidence that adds: means, lift, sample ratio, delays, off-policy value.

What is true of everything here:

- Evidence adds: ``moments(a) + moments(b)`` is ``moments(a and b together)`` up to rounding, so
  shards, days and engines may be merged in any order.
- Nothing returns NaN and no interval is narrower than the evidence allows: where an interval cannot
  be had, ``low`` and ``high`` are None and ``reason`` says why.
- No clock, no randomness, no store. An exception means the input was malformed, never that it was
  thin.
"""

from opportune.stats.adjusted import (
    AdjustedLift,
    JointMoments,
    adjusted_lift,
    joint_moments,
    of_ratio,
)
from opportune.stats.columns import Estimate
from opportune.stats.delay import (
    LEAST_REWARDS,
    Arrived,
    Delays,
    arrived_by,
    arrived_shares,
    hours_until,
)
from opportune.stats.discoveries import Discovery, discoveries
from opportune.stats.drift import MOVED, population_stability
from opportune.stats.drivers import contributions
from opportune.stats.errors import InvalidPropensity, InvalidSample
from opportune.stats.intervals import (
    TIGHTEST_AT,
    Interval,
    Method,
    boundary,
    chance_beyond,
    half_width,
    mean_interval,
)
from opportune.stats.lift import Lift, lift, p_value
from opportune.stats.moments import Moments, moments
from opportune.stats.of_means import of_means
from opportune.stats.offpolicy import doubly_robust, ips, snips, switch_dr
from opportune.stats.offpolicy_options import (
    pseudo_inverse,
    pseudo_inverse_dr,
)
from opportune.stats.outlook import Outlook
from opportune.stats.power import (
    Reading,
    ReadOut,
    Wait,
    chance_to_find,
    days_to_find,
    smallest_effect,
    tightest_for,
)
from opportune.stats.readiness import Readiness, Refusal, readiness
from opportune.stats.sample_ratio import SampleRatio, chi_square_tail, sample_ratio
from opportune.stats.sequential import GroupSequentialPlan, Spending, crossed, group_sequential
from opportune.stats.skewed import skewed_interval

__all__ = [
    "LEAST_REWARDS",
    "MOVED",
    "TIGHTEST_AT",
    "AdjustedLift",
    "Arrived",
    "Delays",
    "Discovery",
    "Estimate",
    "GroupSequentialPlan",
    "Interval",
    "InvalidPropensity",
    "InvalidSample",
    "JointMoments",
    "Lift",
    "Method",
    "Moments",
    "Outlook",
    "ReadOut",
    "Readiness",
    "Reading",
    "Refusal",
    "SampleRatio",
    "Spending",
    "Wait",
    "adjusted_lift",
    "arrived_by",
    "arrived_shares",
    "boundary",
    "chance_beyond",
    "chance_to_find",
    "chi_square_tail",
    "contributions",
    "crossed",
    "days_to_find",
    "discoveries",
    "doubly_robust",
    "group_sequential",
    "hours_until",
    "half_width",
    "ips",
    "joint_moments",
    "lift",
    "mean_interval",
    "moments",
    "of_means",
    "of_ratio",
    "p_value",
    "population_stability",
    "pseudo_inverse",
    "pseudo_inverse_dr",
    "readiness",
    "sample_ratio",
    "skewed_interval",
    "smallest_effect",
    "snips",
    "switch_dr",
    "tightest_for",
]
