"""The sentence: which words for which evidence."""

from __future__ import annotations

from datetime import date

import pytest

from opportune import stats
from opportune.reports import MetricOfReport, VariantResult
from opportune.reports.answer import Evidence, answer, percent

METRIC = MetricOfReport(name="orders", unit="orders", window_days=3)


def evidence(
    treated: stats.Moments,
    held_out: stats.Moments,
    *,
    control_share: float = 0.1,
    mature_days: int = 1,
    decided_days: int = 5,
    outlook: stats.Outlook | None = None,
) -> Evidence:
    def result(variant: str, sample: stats.Moments) -> VariantResult:
        total = sample.mean * sample.count
        return VariantResult(
            variant=variant,
            profiles=sample.count,
            rewarded=round(total),
            reward_sum=total,
            reward_mean=sample.mean,
        )

    sizes = {"treatment": treated.count, "control": held_out.count}
    shares = {"treatment": 1 - control_share, "control": control_share}
    return Evidence(
        metric=METRIC,
        treatment=result("treatment", treated),
        control=result("control", held_out),
        control_share=control_share,
        lift=stats.lift(treated, held_out),
        tightest_at=stats.TIGHTEST_AT,
        outlook=outlook,
        sample_ratio=stats.sample_ratio(sizes, shares) if control_share else None,
        decided_days=decided_days,
        mature_days=mature_days,
        oldest_immature_day=date(2026, 1, 2) if decided_days else None,
    )


def conversions(count: int, rate: float) -> stats.Moments:
    return stats.Moments(count=count, mean=rate, m2=count * rate * (1 - rate))


@pytest.mark.parametrize(
    ("treated", "verdict", "beginning"),
    [
        (
            0.15,
            "better",
            "Treatment did better than control: +50.0 % orders per profile (between +",
        ),
        (0.06, "worse", "Treatment did worse than control: -40.0 % orders per profile (between -"),
        (0.1, "no_difference", "No difference seen between treatment and control: 0.0 % orders"),
    ],
)
def test_the_interval_decides_the_word(treated: float, verdict: str, beginning: str) -> None:
    found = answer(evidence(conversions(90_000, treated), conversions(10_000, 0.1)))
    assert found[0] == verdict
    assert found[1].startswith(beginning)
    assert found[1].endswith(" over 1 mature day.")


@pytest.mark.parametrize(
    ("rate", "a_day", "mature_days", "sentence"),
    [
        (
            0.1,
            2000,
            5,
            " At this pace, +10 % is seen after some 67 more days in four of five cases.",
        ),
        (0.1, 2000, 90, " A lift of +10 % would have been seen by now in four of five cases."),
        (0.1, 5, 5, " At this pace, +10 % is not seen within ten years."),
        (0.95, 2000, 5, ""),
    ],
)
def test_where_no_difference_is_seen_it_says_when_one_would_be(
    rate: float, a_day: int, mature_days: int, sentence: str
) -> None:
    outlook = stats.Outlook.of_rate(rate, control_share=0.1, units_a_day=a_day)
    groups = conversions(90_000, 0.1), conversions(10_000, 0.1)
    found = answer(evidence(*groups, mature_days=mature_days, outlook=outlook))
    assert found[0] == "no_difference"
    assert found[1].endswith(f" over {mature_days} mature days.{sentence}")


def test_groups_of_the_wrong_size_come_before_any_verdict() -> None:
    found = answer(evidence(conversions(90_000, 0.15), conversions(12_000, 0.1)))
    assert found == (
        "no_verdict",
        "No verdict: control has 11.8 % of 102,000 profiles and was meant to have 10.0 %. "
        "Find out why before you trust the other numbers.",
    )


def test_without_control_there_is_no_verdict() -> None:
    nobody = stats.Moments(count=0, mean=0.0, m2=0.0)
    assert answer(evidence(conversions(100, 0.5), nobody, control_share=0.0)) == (
        "no_verdict",
        "No verdict: there is no control group to compare with. Set groups.control_share above 0.",
    )


def test_immature_days_say_when_the_first_verdict_comes() -> None:
    nobody = stats.Moments(count=0, mean=0.0, m2=0.0)
    assert answer(evidence(nobody, nobody, mature_days=0)) == (
        "too_early",
        "Too early to say: none of the 5 decided days is mature. The rewards of a day are complete "
        "3 days later, the first about 2026-01-05.",
    )
    assert answer(evidence(nobody, nobody, mature_days=0, decided_days=0)) == (
        "too_early",
        "Too early to say: nothing was decided yet.",
    )


def test_a_lift_without_bounds_is_too_early() -> None:
    flat = stats.Moments(count=900, mean=1.0, m2=0.0)
    found = answer(evidence(flat, conversions(100, 0.5)))
    assert found == (
        "too_early",
        "Too early to say: All units of treatment have the same value, so its spread is unknown.",
    )


def test_a_percentage_that_rounds_to_zero_has_no_sign() -> None:
    assert percent(-0.0001, signed=True) == "0.0 %"
    assert percent(0.0004, signed=True) == "0.0 %"
    assert percent(-0.051, signed=True) == "-5.1 %"
    assert percent(1.0, signed=False) == "100.0 %"
