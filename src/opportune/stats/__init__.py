"""Pure maths over evidence that adds: means, lift, sample ratio, off-policy value.

What is true of everything here:

- Evidence adds: ``moments(a) + moments(b)`` is ``moments(a and b together)`` up to rounding, so
  shards, days and engines may be merged in any order.
- Nothing returns NaN and no interval is narrower than the evidence allows: where an interval cannot
  be had, ``low`` and ``high`` are None and ``reason`` says why.
- No clock, no randomness, no store. An exception means the input was malformed, never that it was
  thin.
"""

from opportune.stats.columns import Estimate
from opportune.stats.errors import InvalidPropensity, InvalidSample
from opportune.stats.intervals import TIGHTEST_AT, Interval, Method, half_width, mean_interval
from opportune.stats.lift import Lift, lift
from opportune.stats.moments import Moments, moments
from opportune.stats.offpolicy import doubly_robust, ips, snips, switch_dr
from opportune.stats.offpolicy_options import (
    clustered_dr,
    marginal_ips,
    pseudo_inverse,
    pseudo_inverse_dr,
)
from opportune.stats.sample_ratio import SampleRatio, chi_square_tail, sample_ratio
from opportune.stats.skewed import skewed_interval

__all__ = [
    "TIGHTEST_AT",
    "Estimate",
    "Interval",
    "InvalidPropensity",
    "InvalidSample",
    "Lift",
    "Method",
    "Moments",
    "SampleRatio",
    "chi_square_tail",
    "clustered_dr",
    "doubly_robust",
    "half_width",
    "ips",
    "lift",
    "marginal_ips",
    "mean_interval",
    "moments",
    "pseudo_inverse",
    "pseudo_inverse_dr",
    "sample_ratio",
    "skewed_interval",
    "snips",
    "switch_dr",
]
