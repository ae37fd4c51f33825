"""The result of a use case on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from opportune.reports import (
    BegunWith,
    DeliveryCount,
    Insights,
    Performance,
    ReportMetric,
    Spending,
    VariantResult,
)
from opportune.reports.answer import percent

__all__ = ["begun_with", "print_insights", "print_performance", "print_report_metrics"]

STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "no_difference": "bold",
    "too_early": "bold yellow",
    "no_verdict": "bold yellow",
    "groups_differ": "bold red",
    "groups_alike": "bold green",
}
BAR_WIDTH = 40
# More days than that are shown by every second, third, ... of them, and the last.
MOST_BARS = 15
MOST_MOVERS = 6
MOST_CONTRASTS = 5

STATES = {
    "draft": "a draft: it decides nothing yet",
    "shadow": "in shadow: it decides, and nothing is sent",
    "paused": "paused: it decides nothing",
}


def print_performance(
    console: Console,
    performance: Performance,
    *,
    captured: Sequence[tuple[date, float]] = (),
) -> None:
    """Print what a use case earned.

    ``captured`` is what only a demo knows: the share of the achievable uplift by day.
    """
    console.print()
    console.print(_headline(performance))
    if performance.stopped:
        said = f"Stopped: {performance.stopped} Go on: opportune resume {performance.use_case}"
        console.print(Text(said, style="bold red"))
    for said in _said_of_state(performance):
        console.print(Text(said, style="bold"))
    if performance.begun_with is not None:
        console.print(Text(begun_with(performance.begun_with), style="dim"))
    console.print(_variants(performance))
    if performance.adjusted is not None:
        console.print(Text(performance.adjusted.answer, style="dim"))
    if performance.spending is not None:
        console.print(_spending(performance.spending))
    if captured:
        console.print(_captured(captured))


def print_insights(
    console: Console,
    insights: Insights,
    deliveries: Sequence[DeliveryCount] = (),
    *,
    address: str = "",
) -> None:
    """Print what a use case chose for whom, what was sent, and where to look next.

    ``address`` is that of the dashboard, empty where there is none.
    """
    if insights.movers:
        console.print(_movers(insights))
    if insights.contrasts:
        console.print(_contrasts(insights))
    if deliveries:
        console.print(_deliveries(deliveries))
    if address:
        path = f"{address.rstrip('/')}/use-cases/{insights.use_case}"
        console.print(Text.assemble("More, with charts: ", (path, "underline")), soft_wrap=True)


def print_report_metrics(console: Console, found: Sequence[ReportMetric]) -> None:
    """Print what each group brought of the other metrics of a report, if there are any."""
    if not found:
        return
    table = _table(f"Other metrics, per profile up to {found[0].through} (intervals at any look)")
    for heading in ("metric", "group", "profiles", "value", "from", "to", "lift"):
        table.add_column(heading, justify="left" if heading in ("metric", "group") else "right")
    for each in found:
        for place, own in enumerate(each.groups):
            figures = (own.value, own.low, own.high)
            lift = each.lift.relative if place == 0 else None
            table.add_row(
                Text(f"{each.title} ({each.metric.unit})" if place == 0 else ""),
                Text(own.group),
                f"{own.profiles:,}",
                *("-" if value is None else f"{value:,.4g}" for value in figures),
                "" if lift is None else percent(lift, signed=True),
            )
    console.print(table)


def begun_with(known: BegunWith) -> str:
    """Say in words what a policy knew before its use case began."""
    rows = "what it had learned" if known.rows is None else f"{known.rows:,} rows"
    return (
        f"Warm start: {rows} from {known.source} (digest {known.digest[:12]}, outcome "
        f"{known.outcome}), a row counting as {known.share:g} of an own one"
        + (f"; {known.left_out:,} rows left out." if known.left_out else ".")
    )


def _headline(performance: Performance) -> Panel:
    about = (
        f"{performance.title} ({performance.use_case}, version {performance.version}), as of "
        f"{performance.as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    )
    answer = Text(performance.answer, style=STYLES[performance.verdict])
    return Panel(Group(answer, Text(about, style="dim")), expand=False)


def _said_of_state(performance: Performance) -> list[str]:
    said = []
    if performance.state != "live":
        said.append(f"The use case is {STATES[performance.state]}.")
    if performance.shadow is not None:
        shadow = performance.shadow
        said.append(
            f"In shadow on {shadow.days} days, the last {shadow.last_day}: {shadow.decisions:,} "
            "decisions, nothing was sent. They are in none of the numbers here."
        )
    return said


def _variants(performance: Performance) -> Table:
    unit = performance.metric.unit
    table = _table(f"Over {performance.mature_days} of {performance.decided_days} decided days")
    for heading in ("variant", "profiles", unit, f"{unit} per profile"):
        table.add_column(Text(heading), justify="left" if heading == "variant" else "right")
    for result in (performance.treatment, performance.control):
        table.add_row(*(Text(cell) for cell in _variant_row(result)))
    lift = performance.lift
    if lift.relative is not None and lift.low is not None and lift.high is not None:
        table.add_row(
            Text("lift"),
            Text(""),
            Text(""),
            Text(
                f"{percent(lift.relative, signed=True)} ({percent(lift.low, signed=True)} to "
                f"{percent(lift.high, signed=True)})"
            ),
        )
    return table


def _variant_row(result: VariantResult) -> tuple[str, ...]:
    return (
        result.variant,
        f"{result.profiles:,}",
        f"{result.reward_sum:,.0f}",
        f"{result.reward_mean:.4f}",
    )


def _captured(captured: Sequence[tuple[date, float]]) -> Table:
    table = _table(
        "Captured share of the achievable uplift (0 % by chance, 100 % the best for every customer)"
    )
    table.add_column("day")
    table.add_column("captured", justify="right")
    table.add_column("")
    every = -(-len(captured) // MOST_BARS)
    shown = [*captured[:-1][::every], captured[-1]]
    for day, share in shown:
        filled = round(min(max(share, 0.0), 1.0) * BAR_WIDTH)
        bar = Text.assemble(("█" * filled, "cyan"), ("·" * (BAR_WIDTH - filled), "dim"))
        table.add_row(day.isoformat(), percent(share, signed=False), bar)
    return table


def _movers(insights: Insights) -> Table:
    table = _table(f"What moved the choice since {insights.contrasts_since}, on average")
    for heading in ("dimension", "by", "log-odds"):
        table.add_column(heading, justify="right" if heading == "log-odds" else "left")
    for each in insights.movers[:MOST_MOVERS]:
        by = each.trait or "what is best for everybody"
        table.add_row(Text(each.dimension), Text(by), f"{each.moved:.3f}")
    return table


def _contrasts(insights: Insights) -> Table:
    table = _table(f"Who got what since {insights.contrasts_since}, strongest contrasts first")
    for heading in ("option", "of the group", "got it", "others got it"):
        table.add_column(heading, justify="right" if heading.endswith("got it") else "left")
    for each in insights.contrasts[:MOST_CONTRASTS]:
        table.add_row(
            Text(f"{each.dimension}: {each.option}"),
            Text(each.group),
            percent(each.group_share, signed=False),
            percent(each.others_share, signed=False),
        )
    return table


def _spending(spending: Spending) -> Text:
    unit, limits = spending.unit, []
    if spending.per_day is not None:
        limits.append(f"{spending.per_day:,.2f} a day")
    if spending.total is not None:
        limits.append(f"{spending.total:,.2f} in total")
    said = f"Costs: {spending.spent:,.2f} {unit} spent, {spending.reserved:,.2f} reserved"
    said += f", of {' and '.join(limits)}." if limits else "."
    if spending.days:
        day = spending.days[0]
        said += (
            f" {day.day}: {day.committed:,.2f} of {day.available:,.2f} given out, shadow price "
            f"{day.shadow_price:.3g}, {day.restricted:,} decided after it was too little for "
            f"everything, {day.held_back:,} held back."
        )
    profit = spending.profit
    if profit is not None and profit.relative is not None and profit.low is not None:
        said += f" Net of costs, {percent(profit.relative, signed=True)} over control"
        if profit.high is not None:
            low, high = percent(profit.low, signed=True), percent(profit.high, signed=True)
            said += f" ({low} to {high})"
        said += "."
    return Text(f"{said}\n")


def _deliveries(deliveries: Sequence[DeliveryCount]) -> Text:
    parts = [
        f"{each.count:,} {each.state}" + (f" ({each.reason})" if each.reason else "")
        for each in deliveries
    ]
    return Text(f"Recommendations: {', '.join(parts)}.\n")


def _table(title: str) -> Table:
    return Table(title=Text(title), title_justify="left", box=None, pad_edge=False, padding=(0, 2))
