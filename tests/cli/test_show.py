"""The result on a terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from rich.console import Console

from opportune import stats
from opportune.cli.show import print_insights, print_performance
from opportune.reports import (
    BegunWith,
    Contrast,
    DeliveryCount,
    Insights,
    MetricOfReport,
    Mover,
    Performance,
    VariantResult,
)


@pytest.fixture
def report() -> Performance:
    treated = stats.Moments(count=900, mean=0.2, m2=144.0)
    held_out = stats.Moments(count=100, mean=0.1, m2=9.0)
    return Performance(
        as_of=datetime(2026, 1, 11, 6, tzinfo=UTC),
        use_case="next_offer",
        title="Next [bold]offer",
        version=1,
        metric=MetricOfReport(name="orders", unit="orders", window_days=2),
        verdict="better",
        answer="Treatment did better than control.",
        decided_days=10,
        mature_days=8,
        treatment=VariantResult(
            variant="treatment", profiles=900, rewarded=180, reward_sum=180.0, reward_mean=0.2
        ),
        control=VariantResult(
            variant="control", profiles=100, rewarded=10, reward_sum=10.0, reward_mean=0.1
        ),
        control_share=0.1,
        lift=stats.lift(treated, held_out, method="fixed"),
        sample_ratio=stats.SampleRatio(p_value=1.0, suspicious=False),
        days=(),
    )


INSIGHTS = Insights(
    as_of=datetime(2026, 1, 11, 6, tzinfo=UTC),
    use_case="next_offer",
    version=1,
    days=(),
    choices=(),
    contrasts_since=date(2026, 1, 6),
    movers=(
        Mover(dimension="offer", trait="plan", moved=0.21),
        Mover(dimension="channel", trait=None, moved=0.1),
    ),
    contrasts=(
        Contrast(
            feature="tenure_months",
            dimension="channel",
            option="sms",
            group="tenure_months over 24",
            others="tenure_months up to 24",
            group_decisions=100,
            others_decisions=120,
            group_share=0.6,
            others_share=0.2,
        ),
    ),
)
DELIVERIES = (
    DeliveryCount(state="sent", reason="", count=8000),
    DeliveryCount(state="failed", reason="unknown user", count=2),
)


def printed(report: Performance, **options: object) -> list[str]:
    console = Console(width=100, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        print_performance(console, report, **options)  # type: ignore[arg-type]  # two of its own
    return [line.rstrip() for line in capture.get().splitlines()]


def told(*, address: str = "") -> list[str]:
    console = Console(width=100, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        print_insights(console, INSIGHTS, DELIVERIES, address=address)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_answer_comes_first_and_titles_are_text(report: Performance) -> None:
    lines = printed(report)
    assert "Treatment did better than control." in lines[2]
    assert "Next [bold]offer (next_offer, version 1), as of 2026-01-11 06:00 UTC" in lines[3]


def test_both_variants_and_lift_stand_in_one_table(report: Performance) -> None:
    lines = printed(report)
    assert "Over 8 of 10 decided days" in lines
    assert any(line.split() == ["treatment", "900", "180", "0.2000"] for line in lines)
    assert any(line.split() == ["control", "100", "10", "0.1000"] for line in lines)
    (lift,) = [" ".join(line.split()) for line in lines if line.startswith("lift")]
    assert lift == "lift +100.0 % (+22.8 % to +391.8 %)"


@pytest.mark.parametrize(
    ("rows", "left_out", "said"),
    [
        (
            1200,
            3,
            "1,200 rows from old.csv (digest 0123456789ab, outcome paid), a row counting as "
            "0.2 of an own one; 3 rows left out.",
        ),
        (
            None,
            0,
            "what it had learned from old.csv (digest 0123456789ab, outcome paid), a row "
            "counting as 0.2 of an own one.",
        ),
    ],
)
def test_what_the_policy_knew_before_is_named(
    report: Performance, rows: int | None, left_out: int, said: str
) -> None:
    known = BegunWith(
        source="old.csv",
        digest="0123456789abcdef",
        outcome="paid",
        rows=rows,
        left_out=left_out,
        share=0.2,
    )
    assert f"Warm start: {said}" in " ".join(printed(replace(report, begun_with=known)))
    assert not [line for line in printed(report) if "Warm start" in line]


def test_without_bounds_there_is_no_line_of_lift(report: Performance) -> None:
    nobody = stats.Moments(count=0, mean=0.0, m2=0.0)
    lines = printed(replace(report, lift=stats.lift(nobody, nobody)))
    assert [line for line in lines if line.startswith("lift")] == []


def test_what_moved_the_choice_is_said_in_words() -> None:
    lines = [" ".join(line.split()) for line in told()]
    assert "What moved the choice since 2026-01-06, on average" in lines
    assert "offer plan 0.210" in lines
    assert "channel what is best for everybody 0.100" in lines


def test_captured_days_are_bars_of_at_most_sixteen_lines(report: Performance) -> None:
    first = date(2026, 1, 1)
    captured = [(first + timedelta(days=place), place / 29) for place in range(30)]
    lines = printed(report, captured=captured)
    bars = [line for line in lines if line.startswith("2026-01-")]
    assert len(bars) == 16
    assert bars[0].split() == ["2026-01-01", "0.0", "%", "·" * 40]
    assert bars[-1].split() == ["2026-01-30", "100.0", "%", "█" * 40]


def test_without_truth_there_are_no_bars(report: Performance) -> None:
    assert [line for line in printed(report) if "Captured" in line] == []


def test_it_says_who_got_what_what_was_sent_and_where_to_look() -> None:
    lines = told(address="http://127.0.0.1:8420/")
    assert any(
        " ".join(line.split()) == "channel: sms tenure_months over 24 60.0 % 20.0 %"
        for line in lines
    )
    assert "Recommendations: 8,000 sent, 2 failed (unknown user)." in lines
    assert lines[-1] == "More, with charts: http://127.0.0.1:8420/use-cases/next_offer"
