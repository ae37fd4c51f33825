"""Group sizes against the shares they should have."""

import pytest
from scipy import stats

from opportune.stats import InvalidSample, SampleRatio, chi_square_tail, sample_ratio


def test_the_published_mismatch_is_found() -> None:
    # Kohavi, Tang and Xu, "Trustworthy online controlled experiments" (2020), chapter 3.
    found = sample_ratio({"t": 821_588, "c": 815_482}, {"t": 0.5, "c": 0.5})
    assert f"{found.p_value:.1e}" == "1.8e-06"
    assert found.suspicious is True


@pytest.mark.parametrize(
    "counts",
    [{"a": 9010, "b": 990}, {"a": 90, "b": 4, "c": 6}, {"a": 880, "b": 41, "c": 44, "d": 36}],
)
def test_p_values_are_those_of_scipy(counts: dict[str, int]) -> None:
    shares = {name: 0.1 / (len(counts) - 1) for name in counts} | {"a": 0.9}
    total = sum(counts.values())
    expected = stats.chisquare(list(counts.values()), [shares[name] * total for name in counts])
    assert sample_ratio(counts, shares).p_value == pytest.approx(expected.pvalue, rel=1e-10)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 50, 99])
@pytest.mark.parametrize("statistic", [1e-9, 0.3, 5.0, 40.0, 300.0])
def test_the_tail_is_that_of_scipy(statistic: float, degrees: int) -> None:
    expected = stats.chi2.sf(statistic, degrees)
    assert chi_square_tail(statistic, degrees=degrees) == pytest.approx(expected, rel=1e-10)


def test_groups_of_exactly_the_right_size_are_not_suspicious() -> None:
    shares = {"treatment": 0.9, "control": 0.1}
    right = SampleRatio(p_value=1.0, suspicious=False)
    assert sample_ratio({"treatment": 900, "control": 100}, shares) == right
    assert sample_ratio({"treatment": 0, "control": 0}, shares) == right


def test_a_chance_of_one_in_a_thousand_is_the_limit() -> None:
    shares = {"a": 0.5, "b": 0.5}
    below, above = (
        sample_ratio({"a": 5165, "b": 4835}, shares),
        sample_ratio({"a": 5164, "b": 4836}, shares),
    )
    assert (round(below.p_value, 6), below.suspicious) == (0.000967, True)
    assert (round(above.p_value, 6), above.suspicious) == (0.001038, False)


@pytest.mark.parametrize(
    ("counts", "shares", "message"),
    [
        ({"a": 1}, {"a": 0.5, "b": 0.5}, r"Counts are of \['a'\] and shares of \['a', 'b'\]"),
        ({"a": 1}, {"a": 1.0}, "at least two"),
        ({"a": 1, "b": -1}, {"a": 0.5, "b": 0.5}, "The count of 'b' is -1. Allowed: from 0"),
        ({"a": 1, "b": 1}, {"a": 1.0, "b": 0.0}, "The share of 'a' is 1.0. Allowed: above 0"),
        ({"a": 1, "b": 1}, {"a": 0.5, "b": 0.4}, "Shares add up to 0.9. Allowed: exactly 1"),
    ],
)
def test_input_that_cannot_be_is_refused(
    counts: dict[str, int], shares: dict[str, float], message: str
) -> None:
    with pytest.raises(InvalidSample, match=message):
        sample_ratio(counts, shares)
