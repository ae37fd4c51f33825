"""Our learner beside other libraries': same worlds, same customers, same luck, one table.

Every learner runs in a process of its own with the same number of threads; the world and its
truth stay in this one. Peers live in another environment (`make peers`) and are given arrays only.
Settings come from tuned.toml, which `--tune` writes: each learner tries its grid on other seeds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from wire import Arrays, receive, send

from opportune.simulate import (
    FEATURES,
    WORLDS,
    Played,
    Spread,
    World,
    Yardstick,
    beside,
    make_world,
    paired,
    spread,
    yardsticks,
)

HERE = Path(__file__).parent
PEERS = Path(".venv-peers/bin/python")
TUNED = HERE / "tuned.toml"
TUNING_SEEDS = (101, 102)
# Who scores every combination line by line or row by row would need days beyond so many.
MOST_COMBINATIONS = {"vw_squarecb": 1_000, "lightgbm_epsilon": 1_000}
HEAD = ("learner", "captured", "last 5 days", "decisions/s", "updates/s", "peak MB", "seeds")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who learns: ``ours`` names a policy of Opportune, else ``name`` is one of peers.py."""

    name: str
    ours: bool
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one learner did with one seed; memory is that of its own process."""

    entry: Entry
    played: Played
    peak_bytes: int


class Child:
    """A learner in a process of its own, asked in plain arrays."""

    def __init__(self, entry: Entry, what: dict[str, object], *, threads: int) -> None:
        python = Path(sys.executable) if entry.ours else PEERS
        script = HERE / ("ours.py" if entry.ours else "peers.py")
        what = {**what, "settings": dict(entry.settings)}
        environ = os.environ | {name: str(threads) for name in THREADS}
        environ["PYTHONWARNINGS"] = "ignore"
        self.process = subprocess.Popen(
            [str(python), str(script), entry.name, json.dumps(what)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
        )
        self.peak_bytes = 0

    def ask(self, arrays: Arrays) -> tuple[Arrays, float]:
        """The answer, and the seconds that the learner itself took."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        send(self.process.stdin, arrays)
        answer = receive(self.process.stdout)
        if answer is None:
            raise SystemExit(f"a learner ended: {' '.join(map(str, self.process.args[1:3]))}")
        self.peak_bytes = max(self.peak_bytes, int(answer["peak_bytes"]))
        return answer, float(answer["seconds"])

    def close(self) -> None:
        """Hang up, which ends the child."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def main(arguments: list[str] | None = None) -> None:
    """Print a table a world; with --json FILE also write the figures there."""
    given = parser().parse_args(arguments)
    if given.tune:
        TUNED.write_text(tuned(given))
        return
    documents = []
    for name in given.world:
        results = []
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            world = make_world(name, seed=seed)
            results += compared(world, entries(given.learners, given.policy), given)
            print(f"{name}: seed {seed} is over", file=sys.stderr, flush=True)
        print(page(name, given, results), flush=True)
        documents.append(document(name, given, results))
    if given.json:
        given.json.write_text(json.dumps(documents, indent=2) + "\n")


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--json", type=Path, help="also write the figures to this file")
    made.add_argument("--world", nargs="+", default=["static60"], choices=sorted(WORLDS))
    made.add_argument("--policy", nargs="*", default=["factored_thompson"], help="ours")
    made.add_argument("--learners", nargs="*", help="which peers; those installed if left out")
    made.add_argument("--seeds", type=int, default=5)
    made.add_argument("--first-seed", type=int, default=1)
    made.add_argument("--days", type=int, default=30)
    made.add_argument("--customers", type=int, help="a day; the world's own if left out")
    made.add_argument("--threads", type=int, default=1, help="of each learner")
    made.add_argument("--tune", action="store_true", help="try every grid, write tuned.toml")
    return made


def entries(learners: Sequence[str] | None, policies: Sequence[str]) -> list[Entry]:
    """Ours first, then the peers with the settings that tuning found."""
    settings = tomllib.loads(TUNED.read_text())
    names = list(settings) if learners is None else list(learners)
    if names and not PEERS.exists():
        print("The peers are not installed (`make peers`): ours alone.", file=sys.stderr)
        names = []
    ours = [Entry(name=name, ours=True, settings={}) for name in policies]
    return ours + [
        Entry(name=name, ours=False, settings=settings[name]["settings"]) for name in names
    ]


def compared(world: World, who: Sequence[Entry], given: argparse.Namespace) -> list[Result]:
    """Let each of them live through the world; the yardsticks are made once."""
    measures = yardsticks(world, days=given.days, customers=given.customers)
    count = world.space.combinations
    able = [each for each in who if count <= MOST_COMBINATIONS.get(each.name, count)]
    return [lived(world, entry, measures, given) for entry in able]


def lived(
    world: World, entry: Entry, measures: Sequence[Yardstick], given: argparse.Namespace
) -> Result:
    """As `opportune.simulate.play`, with the learner in another process."""
    child = Child(entry, what(world, entry), threads=given.threads)
    value, waiting = [], list[Arrays]()
    decide_s, update_s = np.zeros(len(measures)), np.zeros(len(measures))
    for index in range(len(measures)):
        if index >= world.blind_days:
            _, update_s[index] = child.ask(waiting.pop(0))
        day = world.day(index, given.customers)
        asked = {"features": day.features, "options": day.eligible.options}
        answer, decide_s[index] = child.ask(asked)
        actions = answer["actions"]
        if not day.eligible.allows(world.space, actions).all():
            raise SystemExit(f"{entry.name} played an ineligible action")
        rewards = world.rewards(day, actions)
        if not entry.ours and world.costs is not None:
            # Who cannot weigh costs learns the profit itself.
            rewards = world.net(actions, rewards)
        waiting.append({"features": day.features, "actions": actions, "rewards": rewards})
        value.append(float(world.expected(day, actions).mean()))
    child.close()
    played = beside(
        world,
        entry.name,
        measures,
        customers=world.customers if given.customers is None else given.customers,
        value=np.array(value),
        seconds=(decide_s, update_s),
    )
    return Result(entry=entry, played=played, peak_bytes=child.peak_bytes)


def what(world: World, entry: Entry) -> dict[str, object]:
    """What a learner is told of a world before its first day."""
    costs = None
    if world.costs is not None:
        costs = {
            "sent": [each.tolist() for each in world.costs.sent],
            "rewarded": [each.tolist() for each in world.costs.rewarded],
        }
    reward = "amount" if costs and not entry.ours else world.reward
    return {
        "sizes": list(world.space.sizes),
        "features": len(FEATURES),
        "reward": reward,
        "seed": world.seed,
        "luck": f"{world.name}:{world.seed}",
        "costs": costs,
    }


def tuned(given: argparse.Namespace) -> str:
    """Each peer's grid on two other seeds of static60; the best mean is kept."""
    known = tomllib.loads(TUNED.read_text())
    lines = [line for line in TUNED.read_text().splitlines() if line.startswith("#")]
    for name, section in known.items():
        if given.learners is None or name in given.learners:
            section = tried(name, section, given)
        lines += ["", *written(name, section)]
    return "\n".join(lines) + "\n"


def tried(name: str, section: dict[str, object], given: argparse.Namespace) -> dict[str, object]:
    """One learner's section with the settings that captured most."""
    grid = section["grid"]
    assert isinstance(grid, dict)
    found = []
    for values in itertools.product(*grid.values()):
        settings = {**_fixed(section), **dict(zip(grid, values, strict=True))}
        entry = Entry(name=name, ours=False, settings=settings)
        began = time.monotonic()
        shares = [
            compared(make_world("static60", seed=seed), [entry], given)[0].played.captured or 0.0
            for seed in TUNING_SEEDS
        ]
        found.append((float(np.mean(shares)), settings))
        took = time.monotonic() - began
        print(f"{name} {settings}: {np.mean(shares):.3f} in {took:.0f} s", flush=True)
    share, settings = max(found, key=lambda each: each[0])
    note = f"static60, seeds 101 and 102, {given.days} days, {given.customers or 20_000} a day"
    return {**section, "settings": settings, "captured": round(share, 3), "tuned_on": note}


def _fixed(section: dict[str, object]) -> dict[str, object]:
    settings, grid = section["settings"], section["grid"]
    assert isinstance(settings, dict)
    assert isinstance(grid, dict)
    return {key: value for key, value in settings.items() if key not in grid}


def written(name: str, section: Mapping[str, object]) -> list[str]:
    """A section as TOML."""
    plain = {key: value for key, value in section.items() if not isinstance(value, dict)}
    lines = [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in plain.items())]
    for key in ("settings", "grid"):
        table = section[key]
        assert isinstance(table, dict)
        lines.append(f"[{name}.{key}]")
        lines += [f"{inner} = {json.dumps(value)}" for inner, value in table.items()]
    return lines


def page(name: str, given: argparse.Namespace, results: Sequence[Result]) -> str:
    """One line a learner, best first; then ours less the best peer, seed by seed."""
    found = by_learner(results)
    rows = [HEAD]
    for label, own in sorted(found.items(), key=lambda each: -_mean(each[1])):
        rows.append(cells(label, own))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    played = results[0].played
    head = (
        f"\n{name}: {WORLDS[name].about}; {played.customers:,} customers a day, {given.days} days"
    )
    return "\n".join([head, *lines, *against_best(found), ""])


def by_learner(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results of each learner, in the order of the seeds."""
    found: dict[str, list[Result]] = {}
    for each in results:
        found.setdefault(each.entry.name, []).append(each)
    return found


def cells(label: str, own: Sequence[Result]) -> tuple[str, ...]:
    """A line of the table."""
    decide = np.mean([each.played.decisions_per_s for each in own])
    learn = np.mean([each.played.updates_per_s or np.nan for each in own])
    peak = max(each.peak_bytes for each in own)
    label = f"* {label}" if own[0].entry.ours else f"  {label}"
    shares = [shares_of(own, which) for which in ("captured", "captured_last")]
    counts = (f"{decide:,.0f}", f"{learn:,.0f}", f"{peak / 1e6:,.0f}", str(len(own)))
    return (label, *map(_shown, shares), *counts)


def against_best(found: Mapping[str, Sequence[Result]]) -> list[str]:
    """Ours less that peer which captured most, paired."""
    peers = {label: own for label, own in found.items() if not own[0].entry.ours}
    if not peers:
        return []
    best = max(peers, key=lambda label: _mean(peers[label]))
    lines = []
    for label, own in found.items():
        if own[0].entry.ours and _captured(own) and _captured(peers[best]):
            gap = paired(label, _captured(own), best, _captured(peers[best])).difference
            lines.append(f"captured by {label} less {best}: {_shown(gap)}")
    return lines


def shares_of(own: Sequence[Result], which: str) -> Spread | None:
    """The mean over the seeds, None where nothing matters."""
    values = [getattr(each.played, which) for each in own]
    return spread(values) if None not in values else None


def document(name: str, given: argparse.Namespace, results: Sequence[Result]) -> dict[str, object]:
    """Everything, for a program."""
    return {
        "world": name,
        "days": given.days,
        "threads": given.threads,
        "runs": [
            {
                "learner": each.entry.name,
                "ours": each.entry.ours,
                "settings": dict(each.entry.settings),
                "seed": each.played.seed,
                "captured": each.played.captured,
                "captured_last": each.played.captured_last,
                "captured_by_single": each.played.captured_by_single,
                "decisions_per_s": each.played.decisions_per_s,
                "updates_per_s": each.played.updates_per_s,
                "peak_bytes": each.peak_bytes,
                "value": each.played.value.tolist(),
            }
            for each in results
        ],
        "means": {
            label: {
                which: None if (found := shares_of(own, which)) is None else asdict(found)
                for which in ("captured", "captured_last", "captured_by_single")
            }
            for label, own in by_learner(results).items()
        },
        "against_best": against_best(by_learner(results)),
    }


def _captured(own: Sequence[Result]) -> list[float]:
    return [each.played.captured for each in own if each.played.captured is not None]


def _mean(own: Sequence[Result]) -> float:
    return float(np.mean(_captured(own))) if _captured(own) else 0.0


def _shown(found: Spread | None) -> str:
    if found is None:
        return "-"
    if found.half_width is None:
        return f"{found.mean:.3f}"
    return f"{found.mean:.3f} ± {found.half_width:.3f}"


if __name__ == "__main__":
    main()
