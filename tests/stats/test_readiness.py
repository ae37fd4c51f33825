"""Whether an audience is large enough, and what to do where it is not."""

from dataclasses import replace

import pytest

from opportune.stats import InvalidSample, Outlook, readiness

SHOP = Outlook.of_rate(0.03, control_share=0.1, units_a_day=2000)


def test_a_large_audience_is_ready_and_says_how_long_it_takes() -> None:
    found = readiness(SHOP, 0.2, within_days=90)
    assert found.refusals == ()
    assert {method: wait.days for method, wait in found.waits.items()} == {
        "any_look": 61,
        "group_sequential": 38,
        "fixed": 36,
    }
    assert found.smallest_effect == pytest.approx(0.164)


def test_an_effect_that_takes_too_long_is_refused_with_what_helps() -> None:
    [refusal] = readiness(SHOP, 0.2, within_days=50).refusals
    assert refusal.reason == "A lift of +20 % is found after 62 days, not within 50 days."
    assert refusal.remedies == (
        "Widen the audience or wait longer.",
        "Set groups.control_share to 0.5: that takes 25 days.",
        "Plan ten looks instead of daily ones: that takes 38 days.",
        "Look for a lift of +22.1 %, which is found in time.",
    )


def test_what_nothing_but_a_larger_audience_helps_says_only_that() -> None:
    few = Outlook.of_rate(0.97, control_share=0.5, units_a_day=0, waiting=24)
    found = readiness(few, 0.01, within_days=50)
    [refusal] = found.refusals
    assert refusal.reason == "A lift of +1 % is not found within 50 days."
    assert refusal.remedies == ("Widen the audience or wait longer.",)
    assert found.smallest_effect is None


@pytest.mark.parametrize(
    ("outlook", "effect", "reason", "remedy"),
    [
        (replace(SHOP, units_a_day=0), 0.1, "The audience has nobody.", "Widen the audience."),
        (
            Outlook.of_rate(0.0, control_share=0.1, units_a_day=9),
            0.1,
            "One unit earns 0 and all of them the same: no lift can be seen.",
            "Choose a success metric that some people reach and others do not.",
        ),
        (
            replace(SHOP, control_share=0.0),
            0.1,
            "Control has nobody: 0 of 60,000 people.",
            "Set groups.control_share between 0 and 1, such as 0.1.",
        ),
        (
            replace(SHOP, control_share=1.0),
            0.1,
            "Treatment has nobody: 0 of 60,000 people.",
            "Set groups.control_share between 0 and 1, such as 0.1.",
        ),
        (
            SHOP,
            0.0,
            "A lift of +0 % on a mean of 0.03 cannot be.",
            "Ask for one above -100 % and at most 3,233 %, but not 0.",
        ),
        (
            SHOP,
            40.0,
            "A lift of +4000 % on a mean of 0.03 cannot be.",
            "Ask for one above -100 % and at most 3,233 %, but not 0.",
        ),
    ],
)
def test_nonsense_is_refused_with_one_reason(
    outlook: Outlook, effect: float, reason: str, remedy: str
) -> None:
    found = readiness(outlook, effect, within_days=30)
    [refusal] = found.refusals
    assert (refusal.reason, refusal.remedies) == (reason, (remedy,))
    assert (found.waits, found.smallest_effect) == ({}, None)


def test_groups_with_too_few_conversions_are_named_with_the_days_they_need() -> None:
    few = replace(SHOP, units_a_day=10, waiting=50)
    control, treatment = readiness(few, 0.5, within_days=5).refusals
    assert control.reason == (
        "Control expects 0.3 rewarded people within 5 days; a comparison wants at least 10."
    )
    assert control.remedies == (
        "Give control a larger share.",
        "Choose a success metric that more people reach.",
        "Widen the audience.",
        "Wait 329 days.",
    )
    assert treatment.reason.startswith("Treatment expects 2.7 rewarded people")
    still = replace(SHOP, units_a_day=0, waiting=1000)
    [alone] = readiness(still, 0.5, within_days=1).refusals
    assert alone.reason.startswith("Control expects 3 rewarded people within 1 day;")
    assert alone.remedies[-1] == "Widen the audience."


def test_a_time_that_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidSample, match="within_days is 0"):
        readiness(SHOP, 0.1, within_days=0)
