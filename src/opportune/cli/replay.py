"""``opportune replay``: what the policy would have earned in a campaign that was really run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from opportune import project, stats
from opportune.events import FieldPolicies
from opportune.learning import Evaluated
from opportune.replay import (
    Replayed,
    Told,
    check_columns,
    check_policies,
    compare,
    read_campaign,
    read_schema,
    replay,
    verdict,
)
from opportune.settings import Settings
from opportune.storage import Stores, embedded, open_stores

__all__ = ["progress", "replay_command"]

# A column whose estimates add nothing to those before it is left out.
ESTIMATES = {
    "IPS": "ips",
    "SNIPS": "snips",
    "DR": "dr",
    "Switch-DR": "switch_dr",
    "PI-DR": "pi_dr",
}
DIAGNOSTICS = ("effective rows", "supported")
EDGE = "DR minus the best single"
OURS = "factored_thompson"
INTERVALS = "Plus and minus: half of the 95 % interval, which --json gives from end to end."
PLAIN_LINES = 4


def replay_command(  # noqa: PLR0913 - the options of a command
    file: Annotated[
        Path, typer.Argument(help="Parquet or CSV: features, action, propensity, outcome.")
    ],
    *,
    schema: Annotated[Path, typer.Option(help="TOML that says what the columns mean.")],
    outcome: Annotated[
        str | None, typer.Option(help="Which outcome to learn; each in turn if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Order of the rows, and which are held out.")] = 1,
    policy: Annotated[str | None, typer.Option(help="Also play these: NAME,NAME.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--project", help="Folder whose classes and policies for fields hold."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder to keep; otherwise a temporary one.")
    ] = None,
) -> None:
    """Let the policy live through a randomised campaign, and say what it would have earned."""
    meaning = read_schema(schema)
    campaign = read_campaign(file, meaning)
    policies = FieldPolicies() if folder is None else project.load(folder).field_policies
    rivals = _rivals(policy or "")
    asked = [each for each in meaning.outcomes if outcome in (None, each.name)]
    check_columns(campaign, asked, policies)
    check_policies(campaign, rivals)
    names = [outcome] if outcome else [each.name for each in meaning.outcomes]
    with ExitStack() as stack:
        stores = _stores(stack, data)
        told = stack.enter_context(progress(Console(stderr=True)))
        found = [
            replay(stores, campaign, name, seed=seed, told=told, field_policies=policies)
            for name in names
        ]
        if rivals:
            found = [compare(stores, campaign, each, rivals, told=told) for each in found]
    document = json.dumps([_document(each) for each in found], indent=2)
    page = "\n\n".join(_page(each, meaning.title) for each in found)
    typer.echo(document if as_json else page)


def _rivals(policies: str) -> list[str]:
    """Names from "a, b": the learner itself always plays, and each rival once."""
    names = dict.fromkeys(name.strip() for name in policies.split(","))
    return [name for name in names if name not in ("", OURS)]


def _stores(stack: ExitStack, data: Path | None) -> Stores:
    """Stores of its own, whatever database the settings name: a replay is nobody's live data."""
    if data is None:
        place = tempfile.TemporaryDirectory(prefix="opportune-", ignore_cleanup_errors=True)
        data = Path(stack.enter_context(place))
    server = embedded.start(Settings(data_folder=data).database_folder)
    stack.callback(server.stop)
    settings = Settings(data_folder=data, database_url=server.url)
    stores = open_stores(settings, now=datetime.now(UTC))
    stack.callback(stores.close)
    return stores


@contextmanager
def progress(console: Console) -> Iterator[Told]:
    """A bar on a terminal, a few plain lines otherwise; both beside the result, not in it."""
    if not console.is_terminal:
        yield _plain
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        tasks: dict[str, int] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)  # type: ignore[arg-type]  # TaskID is int

        yield show


def _plain(what: str, done: int, total: int) -> None:
    step = max(1, total // PLAIN_LINES)
    if done == total or done % step == 0:
        typer.echo(f"{what}: {done} of {total}", err=True)


def _page(found: Replayed, title: str) -> str:
    head = (
        f"{title}: {found.outcome.name} a row, learned from {found.training_rows} rows in "
        f"{found.days} days, evaluated on {found.held_out_rows} rows held out (seed {found.seed})"
    )
    control = found.control.name
    singles = [
        (f"always {each.name}{' (control)' if each.name == control else ''}", each)
        for each in found.singles
    ]
    if control not in [each.name for each in found.singles]:
        singles.insert(0, (f"always {control} (control)", found.control))
    rivals = [(each.policy, each.found) for each in found.rivals]
    rows = [("learned policy", found.learned), *rivals, *singles, ("as it was run", found.logged)]
    columns = _columns([each for _, each in rows])
    cells = [
        ("", *columns, *DIAGNOSTICS),
        *(_cells(name, each, [ESTIMATES[column] for column in columns]) for name, each in rows),
    ]
    if found.rivals:
        edges = [found.edge, *(each.edge for each in found.rivals)]
        shown = [EDGE, *map(_edge, edges), *("" for _ in cells[1 + len(edges) :])]
        cells = [(*row, edge) for row, edge in zip(cells, shown, strict=True)]
    table = _aligned(cells)
    return f"{head}\n\n{table}\n\n{INTERVALS} {verdict(found)}"


def _columns(rows: Sequence[Evaluated]) -> list[str]:
    known = [_estimates(each) for each in rows]
    return [
        column
        for column, name in ESTIMATES.items()
        if any(name in each for each in known)
        and (name != "switch_dr" or any(each[name] != each["dr"] for each in known))
    ]


def _cells(name: str, row: Evaluated, columns: Sequence[str]) -> tuple[str, ...]:
    known = _estimates(row)
    return (
        name,
        *(_estimate(known[column]) if column in known else "" for column in columns),
        f"{row.effective_sample_size:,.0f}",
        f"{row.supported_share:.1%}",
    )


def _estimates(row: Evaluated) -> dict[str, stats.Estimate]:
    """By the name that programs read, those that the log allows."""
    found = {
        "ips": row.ips,
        "snips": row.snips,
        "dr": row.doubly_robust,
        "switch_dr": row.switch_dr,
        "pi": row.pseudo_inverse,
        "pi_dr": row.pseudo_inverse_dr,
    }
    return {name: each for name, each in found.items() if each is not None}


def _estimate(estimate: stats.Estimate) -> str:
    if estimate.value is None:
        return "unknown"
    if estimate.low is None or estimate.high is None:
        return "refused"
    width = (estimate.high - estimate.low) / 2
    places = 4 if abs(estimate.value) < 10 else 2
    return f"{estimate.value:.{places}f} ± {width:.{places}f}"


def _edge(edge: stats.Interval) -> str:
    if edge.value is None or edge.low is None or edge.high is None:
        return "unknown"
    return f"{edge.value:+.4f} [{edge.low:+.4f}, {edge.high:+.4f}]"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for name, *numbers in rows:
        cells = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
        lines.append("  ".join([name.ljust(widths[0]), *cells]).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _document(found: Replayed) -> dict[str, object]:
    ratio = found.sample_ratio
    return {
        "outcome": found.outcome.name,
        "kind": found.outcome.kind,
        "seed": found.seed,
        "training_rows": found.training_rows,
        "held_out_rows": found.held_out_rows,
        "days": found.days,
        "learned": _row(found.learned),
        "control": _row(found.control),
        "single_actions": [_row(each) for each in found.singles],
        "as_it_was_run": _row(found.logged),
        "best_single_action": found.best_single,
        "learned_minus_best": _difference(found.edge),
        "policies": [
            {**_row(each.found), "minus_best": _difference(each.edge)} for each in found.rivals
        ],
        "sample_ratio_p_value": None if ratio is None else ratio.p_value,
        "verdict": verdict(found),
    }


def _difference(edge: stats.Interval) -> dict[str, object]:
    return {
        "value": edge.value,
        "low": edge.low,
        "high": edge.high,
        "confidence": edge.confidence,
    }


def _row(row: Evaluated) -> dict[str, object]:
    return {
        "name": row.name,
        **{name: _number(each) for name, each in _estimates(row).items()},
        "effective_sample_size": row.effective_sample_size,
        "supported_share": row.supported_share,
    }


def _number(estimate: stats.Estimate) -> dict[str, object]:
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "effective_sample_size": estimate.effective_sample_size,
        "mean_weight": estimate.mean_weight,
        "reason": estimate.reason,
    }
