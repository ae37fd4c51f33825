"""How speed and memory grow from 60 to 100,000 combinations, ours and other libraries' learners.

No learning is judged here: one day of uniform play with random rewards is learned, then customers
are decided, more each time until a day takes two seconds. A learner that needs longer than
``--limit`` seconds for 200 customers has no result. Each runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import threading
from pathlib import Path

import numpy as np
from compare import Child, Entry, entries

from opportune.policies import uniforms
from opportune.simulate import FEATURES
from opportune.simulate.customers import customers

SPACES = ((4, 5, 3), (10, 10, 10), (10, 10, 10, 10), (10, 10, 10, 10, 10))
LEARNED = 5_000
FIRST, MOST = 200, 100_000
ENOUGH_S = 2.0
HEAD = ("learner", "combinations", "decisions/s", "updates/s", "peak MB")


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--policy", nargs="*", default=["factored_thompson"], help="ours")
    parser.add_argument("--learners", nargs="*", help="which peers; those installed if left out")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for the first customers")
    parser.add_argument("--threads", type=int, default=1, help="of each learner")
    given = parser.parse_args(arguments)
    found = []
    print("  ".join(each.rjust(14) for each in HEAD))
    for entry in entries(given.learners, given.policy):
        for sizes in SPACES:
            figures = measured(entry, sizes, given)
            found.append({"learner": entry.name, "combinations": int(np.prod(sizes)), **figures})
            print("  ".join(f"{shown(each):>14}" for each in found[-1].values()), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


def measured(
    entry: Entry, sizes: tuple[int, ...], given: argparse.Namespace
) -> dict[str, float | None]:
    """Rates and memory of one learner with one space; None where it took too long or gave up."""
    what = {"sizes": sizes, "features": len(FEATURES), "reward": "binary", "seed": 1, "luck": "1"}
    child = Child(entry, {**what, "costs": None}, threads=given.threads)
    nothing: dict[str, float | None] = {"decisions": None, "updates": None, "peak_mb": None}
    timer = threading.Timer(given.limit, child.process.kill)
    timer.start()
    try:
        learn_s = taught(child, sizes)
        count, decide_s = FIRST, decided(child, sizes, FIRST)
        timer.cancel()
        while decide_s < ENOUGH_S and count < MOST:
            count = min(MOST, count * 8)
            decide_s = decided(child, sizes, count)
    except (SystemExit, BrokenPipeError):
        return nothing
    finally:
        timer.cancel()
        child.process.kill()
        child.process.wait()
    rates = {"decisions": count / decide_s, "updates": LEARNED / learn_s}
    return {**rates, "peak_mb": child.peak_bytes / 1e6}


def taught(child: Child, sizes: tuple[int, ...]) -> float:
    """Seconds to learn the second day, so that what is made once does not count."""
    for day in (0, 1):
        features = customers((1, day), LEARNED)
        answer, _ = child.ask({"features": features, "options": everything(sizes, LEARNED)})
        rewards = (uniforms(f"growth:{day}", np.arange(LEARNED)) < 0.03).astype(np.float64)
        asked = {"features": features, "actions": answer["actions"], "rewards": rewards}
        _, seconds = child.ask(asked)
    return seconds


def decided(child: Child, sizes: tuple[int, ...], count: int) -> float:
    """Seconds to decide so many customers."""
    asked = {"features": customers((1, 2), count), "options": everything(sizes, count)}
    return child.ask(asked)[1]


def everything(sizes: tuple[int, ...], count: int) -> np.ndarray:
    return np.tile(np.array([(1 << size) - 1 for size in sizes], dtype=np.int64), (count, 1))


def shown(value: object) -> str:
    if value is None:
        return "no result"
    return value if isinstance(value, str) else f"{value:,.0f}"


if __name__ == "__main__":
    main()
