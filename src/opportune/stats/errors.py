"""What can be wrong with the numbers a statistic is asked to read."""

from __future__ import annotations

from opportune.errors import InvalidInput

__all__ = ["InvalidPropensity", "InvalidSample"]


class InvalidSample(InvalidInput):
    """Values, counts, shares or options that no statistic can be computed from."""

    code = "invalid_sample"


class InvalidPropensity(InvalidSample):
    """A logged propensity is not a probability above zero."""

    code = "invalid_propensity"
