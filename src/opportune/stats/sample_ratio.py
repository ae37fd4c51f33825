"""Whether the groups have the sizes they were meant to have, asked before any verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from opportune.stats.errors import InvalidSample

__all__ = ["SampleRatio", "chi_square_tail", "sample_ratio"]

# Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019, use
# 0.0005 to 0.001: a mismatch is looked for every day, and a false alarm stops a verdict.
SUSPICIOUS_BELOW = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """How surprising the group sizes are; ``suspicious`` means that lift must not be trusted."""

    p_value: float
    suspicious: bool


def sample_ratio(counts: Mapping[str, int], expected_shares: Mapping[str, float]) -> SampleRatio:
    """Test group sizes against their intended shares by Pearson's chi-square.

    Parameters
    ----------
    counts:
        Units per variant, such as ``{"treatment": 9010, "control": 990}``. No units at all: nothing
        to suspect, a p-value of 1.
    expected_shares:
        Share per variant, each above 0, together 1; the same two or more names.

    Raises ``InvalidSample`` for other names, negative counts or shares that cannot be.

    >>> result = sample_ratio({"a": 821_588, "b": 815_482}, {"a": 0.5, "b": 0.5})
    >>> f"{result.p_value:.1e}", result.suspicious
    ('1.8e-06', True)
    """
    _check(counts, expected_shares)
    total = sum(counts.values())
    if total == 0:
        return SampleRatio(p_value=1.0, suspicious=False)
    expected = {name: total * share for name, share in expected_shares.items()}
    statistic = math.fsum((counts[name] - mean) ** 2 / mean for name, mean in expected.items())
    p_value = chi_square_tail(statistic, degrees=len(counts) - 1)
    return SampleRatio(p_value=p_value, suspicious=p_value < SUSPICIOUS_BELOW)


def _check(counts: Mapping[str, int], expected_shares: Mapping[str, float]) -> None:
    if set(counts) != set(expected_shares) or len(counts) < 2:
        raise InvalidSample(
            f"Counts are of {sorted(counts)} and shares of {sorted(expected_shares)}."
            " Allowed: the same variants in both, at least two."
        )
    for name, count in counts.items():
        if count < 0:
            raise InvalidSample(f"The count of {name!r} is {count}. Allowed: from 0.")
    for name, share in expected_shares.items():
        if not 0 < share < 1:
            raise InvalidSample(f"The share of {name!r} is {share}. Allowed: above 0 and below 1.")
    total = math.fsum(expected_shares.values())
    if abs(total - 1) > 1e-9:
        raise InvalidSample(f"Shares add up to {total}. Allowed: exactly 1 together.")


def chi_square_tail(statistic: float, *, degrees: int) -> float:
    """Chance of a chi-square value of at least ``statistic``: Q(degrees / 2, statistic / 2).

    From Q(1/2, x) = erfc(sqrt(x)) or Q(1, x) = exp(-x), by Q(a + 1, x) = Q(a, x) + x^a exp(-x) /
    Gamma(a + 1) (NIST Digital Library of Mathematical Functions, 8.8.6); every term is positive, so
    nothing cancels.

    >>> round(chi_square_tail(3.841458820694124, degrees=1), 12)
    0.05
    """
    if statistic <= 0:
        return 1.0
    x = statistic / 2
    start = 0.5 if degrees % 2 else 1.0
    tail = math.erfc(math.sqrt(x)) if degrees % 2 else math.exp(-x)
    steps = (degrees - 1) // 2
    terms = (
        math.exp((start + k) * math.log(x) - x - math.lgamma(start + k + 1)) for k in range(steps)
    )
    return min(1.0, math.fsum((tail, *terms)))
