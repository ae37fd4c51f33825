"""``opportune bench``: how well a policy learns where the truth is known."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Protocol, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from opportune import plugins
from opportune.cli.bench_aa import aa
from opportune.errors import InvalidInput
from opportune.policies import ActionSpace, Policy, RewardKind
from opportune.simulate import (
    FEATURES,
    WORLDS,
    Paired,
    Played,
    Spread,
    World,
    make_world,
    paired,
    play,
    spread,
    yardsticks,
)

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Measure the program on this machine.")
app.command("aa")(aa)

COLUMNS = (
    "policy",
    "seed",
    "captured",
    "last 5 days",
    "best single",
    "days behind",
    "over uniform",
    "decisions/s",
    "updates/s",
    "peak MB",
)
MB = 1e6

Told = Callable[[str, int], None]
"""Called with what is being done and how many days of it are over."""


class BadMeasurement(InvalidInput):
    """A policy to measure is written ``NAME`` or ``NAME:SETTING=VALUE,SETTING=VALUE``."""

    code = "bad_measurement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A policy as it was asked for: ``factored_thompson:draws=8``."""

    label: str
    name: str
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a policy did with one seed, and the most memory this process held meanwhile."""

    asked: Asked
    played: Played
    peak_bytes: int | None


class Startable(Protocol):
    """What an entry point of ``opportune.policies`` is: a class; ``start`` knows nothing yet."""

    def start(
        self,
        space: ActionSpace,
        *,
        features: int,
        reward: RewardKind,
        settings: Mapping[str, object],
    ) -> Policy:
        """A policy that has seen nothing."""
        ...


@app.callback()
def bench() -> None:
    """Measure the program on this machine."""


@app.command("learn")
def learn(  # noqa: PLR0913 - the options of a command
    *,
    world: Annotated[
        list[str], typer.Option(help=f"Where to learn, again for several: {', '.join(WORLDS)}.")
    ],
    policy: Annotated[
        list[str],
        typer.Option(
            help="Who learns, again for several; settings follow: factored_thompson:draws=8,..."
        ),
    ],
    seeds: Annotated[int, typer.Option(min=1, help="How many made worlds.")] = 5,
    first_seed: Annotated[int, typer.Option(min=0, help="The first of them.")] = 1,
    days: Annotated[int, typer.Option(min=1, help="Days to decide.")] = 30,
    customers: Annotated[
        int | None, typer.Option(min=1, help="A day; the world's own number if left out.")
    ] = None,
    to_json: Annotated[
        Path | None, typer.Option("--json", help="Also write every figure to this file.")
    ] = None,
) -> None:
    """Let policies learn where the truth is known: what share of the achievable they capture."""
    asked = [_asked(text) for text in policy]
    for name in world:
        for each in asked:
            _started(each, make_world(name, seed=first_seed))
    documents = []
    with _progress(Console(stderr=True), days) as told:
        for name in world:
            runs = [
                run
                for seed in range(first_seed, first_seed + seeds)
                for run in _runs(make_world(name, seed=seed), asked, days, customers, told)
            ]
            documents.append(_document(name, days, runs))
            typer.echo(_page(name, days, runs))
    if to_json is not None:
        to_json.write_text(json.dumps(documents, indent=2) + "\n")


def _asked(text: str) -> Asked:
    name, _, rest = text.partition(":")
    settings: dict[str, object] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise BadMeasurement(
                f"The policy {text!r} was asked for; settings are written "
                "NAME:SETTING=VALUE,SETTING=VALUE."
            )
        settings[key] = _value(value)
    return Asked(label=text, name=name, settings=settings)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _runs(
    world: World, asked: Sequence[Asked], days: int, customers: int | None, told: Told
) -> Iterator[Run]:
    """Every policy meets the same customers with the same luck; the yardsticks are made once."""
    what = f"{world.name}, seed {world.seed}"
    measures = yardsticks(
        world, days=days, customers=customers, told=partial(told, f"{what}: yardsticks")
    )
    for each in asked:
        policy = _started(each, world)
        _forget_peak()
        played = play(
            world,
            policy,
            measures,
            customers=customers,
            clock=time.perf_counter,
            told=partial(told, f"{what}: {each.label}"),
        )
        yield Run(asked=each, played=played, peak_bytes=_peak_bytes())


def _started(asked: Asked, world: World) -> Policy:
    kind = cast(Startable, plugins.load(plugins.POLICIES, asked.name))
    return kind.start(
        world.space, features=len(FEATURES), reward=world.reward, settings=asked.settings
    )


def _page(name: str, days: int, runs: Sequence[Run]) -> str:
    """A line a run, then means and paired differences."""
    customers = runs[0].played.customers
    lines = [f"{name}: {WORLDS[name].about}; {customers:,} customers a day, {days} days", ""]
    rows = [COLUMNS, *(_cells(run) for run in runs)]
    for label, own in _by_policy(runs).items():
        rows.append(_mean_cells(label, own))
    lines.append(_aligned(rows))
    differences = _differences(runs)
    if differences:
        lines.append("")
    for each in differences:
        lines.append(
            f"captured by {each.policy} less {each.other}: {_spread(each.difference, signed=True)}"
        )
    return "\n".join([*lines, ""])


def _by_policy(runs: Sequence[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.asked.label, []).append(run)
    return found


def _differences(runs: Sequence[Run]) -> list[Paired]:
    """The first policy less each other one, on the same seeds."""
    (label, own), *others = _by_policy(runs).items()
    values = _numbers([run.played.captured for run in own])
    if not values:
        return []
    return [
        paired(label, values, name, _numbers([run.played.captured for run in rest]))
        for name, rest in others
    ]


def _cells(run: Run) -> tuple[str, ...]:
    played = run.played
    shares = (played.captured, played.captured_last, played.captured_by_single)
    return (
        run.asked.label,
        str(played.seed),
        *map(_share, shares),
        "-" if played.captured is None else str(played.days_behind_single),
        f"{played.over_uniform:+.1%}",
        _count(played.decisions_per_s),
        _count(played.updates_per_s),
        "" if run.peak_bytes is None else f"{run.peak_bytes / MB:,.0f}",
    )


def _mean_cells(label: str, runs: Sequence[Run]) -> tuple[str, ...]:
    found = _spreads(runs)
    return (
        label,
        "mean",
        *(_spread(found[name]) for name in ("captured", "captured_last", "captured_by_single")),
        "",
        _spread(found["over_uniform"], signed=True),
        "",
        "",
        "",
    )


def _spreads(runs: Sequence[Run]) -> dict[str, Spread | None]:
    figures: dict[str, list[float | None]] = {
        "captured": [run.played.captured for run in runs],
        "captured_last": [run.played.captured_last for run in runs],
        "captured_by_single": [run.played.captured_by_single for run in runs],
        "over_uniform": [run.played.over_uniform for run in runs],
    }
    return {
        name: spread(known) if (known := _numbers(values)) else None
        for name, values in figures.items()
    }


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _spread(found: Spread | None, *, signed: bool = False) -> str:
    if found is None:
        return "-"
    mean = f"{found.mean:+.3f}" if signed else f"{found.mean:.3f}"
    return mean if found.half_width is None else f"{mean} ± {found.half_width:.3f}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _document(name: str, days: int, runs: Sequence[Run]) -> dict[str, object]:
    return {
        "world": name,
        "days": days,
        "customers": runs[0].played.customers,
        "runs": [_run_document(run) for run in runs],
        "means": {
            label: {name: _spread_document(each) for name, each in _spreads(own).items()}
            for label, own in _by_policy(runs).items()
        },
        "paired": [
            {
                "policy": each.policy,
                "other": each.other,
                "captured": _spread_document(each.difference),
            }
            for each in _differences(runs)
        ],
    }


def _run_document(run: Run) -> dict[str, object]:
    played = run.played
    return {
        "policy": run.asked.label,
        "seed": played.seed,
        "captured": played.captured,
        "captured_last": played.captured_last,
        "captured_by_single": played.captured_by_single,
        "days_behind_single": played.days_behind_single,
        "over_uniform": played.over_uniform,
        "decisions_per_s": played.decisions_per_s,
        "updates_per_s": played.updates_per_s,
        "peak_bytes": run.peak_bytes,
        "by_day": {
            "value": played.value.tolist(),
            "uniform": played.uniform.tolist(),
            "best_single": played.single.tolist(),
            "oracle": played.oracle.tolist(),
        },
    }


def _spread_document(found: Spread | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {"mean": found.mean, "half_width": found.half_width, "seeds": found.count}


@contextmanager
def _progress(console: Console, days: int) -> Iterator[Told]:
    """A bar on a terminal, a line a finished run otherwise; both beside the result, not in it."""
    if not console.is_terminal:
        yield lambda what, done: typer.echo(what, err=True) if done == days else None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=days)
        yield lambda what, done: progress.update(task, description=what, completed=done)


def _forget_peak() -> None:
    """Let the kernel measure the peak of this process anew, where it can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_bytes() -> int | None:
    """The most memory this process held since `_forget_peak`; None where the kernel is silent."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) * 1024 if peaks else None
