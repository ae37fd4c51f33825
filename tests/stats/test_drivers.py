"""A difference of two products is shared out among their factors."""

from __future__ import annotations

import math

import pytest

from opportune import stats


def test_contributions_add_up_whatever_the_order_and_zero_is_no_trouble() -> None:
    treatment = {"sends": 3.0, "rate": 0.25, "value": 40.0}
    control = {"sends": 2.0, "rate": 0.0, "value": 50.0}
    found = stats.contributions(treatment, control)
    assert math.fsum(found.values()) == pytest.approx(30.0, rel=1e-12)
    turned = stats.contributions(dict(reversed(treatment.items())), control)
    assert turned == pytest.approx(found, rel=1e-12)
    # With a rate of 0 before, the rate alone earns; others earn by what they do to it.
    # (a1-a0) * (b1 c1 / 3 + b1 c0 / 6) for sends, and so on.
    assert found["sends"] == pytest.approx(1.0 * (0.25 * 40 / 3 + 0.25 * 50 / 6))
    assert found["value"] == pytest.approx(-10.0 * (3 * 0.25 / 3 + 2 * 0.25 / 6))


def test_a_factor_that_did_not_change_adds_nothing() -> None:
    found = stats.contributions({"a": 2.0, "b": 5.0}, {"a": 2.0, "b": 3.0})
    assert found == {"a": 0.0, "b": 4.0}


@pytest.mark.parametrize(
    ("treatment", "control", "said"),
    [
        ({"a": 1.0}, {"b": 1.0}, "the same names"),
        ({}, {}, "1 to 6"),
        ({"a": math.nan}, {"a": 1.0}, "finite"),
    ],
)
def test_what_is_no_pair_of_products_is_refused(
    treatment: dict[str, float], control: dict[str, float], said: str
) -> None:
    with pytest.raises(stats.InvalidSample, match=said):
        stats.contributions(treatment, control)
