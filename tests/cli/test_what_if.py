"""`opportune what-if`, and the same over HTTP's document."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from opportune import project
from opportune.storage import Stores

SHOP = Path(__file__).parents[2] / "examples" / "shop"
Run = Callable[..., tuple[int, str, str]]


def test_it_says_what_is_missing_and_refuses_what_cannot_be_asked(
    run: Run, stores: Stores, tmp_path: Path
) -> None:
    project.apply(stores.state, SHOP, now=datetime.now(UTC))
    asked = ("--without", "offer=free_yoga_class", "--forbid", "offer=none,channel=push")
    code, out, _ = run("what-if", "second-order", *asked[:2])
    assert code == 0
    assert out.splitlines()[0].startswith(
        "Nothing can be said: No decision that was sent has its rewards yet. Start it"
    )
    code, out, _ = run("what-if", "second-order", "--policy", "uniform", "--json")
    told = json.loads(out)
    assert (code, told["decisions"], told["value"], told["plays"]) == (
        0,
        0,
        None,
        "every option alike",
    )
    for wrong, said in (
        (("--without", "offr=none"), "Did you mean 'offer'"),
        (("--without", "offer=nothing_such"), "has no option 'nothing_such'"),
        (("--policy", "greedy"), "Allowed: fixed, learned, uniform"),
        (("--policy", "fixed"), "one option of each dimension"),
        (("--policy", "offer=none"), "Name one of each: offer, channel, hour"),
        (("--forbid", "offer=free_yoga_class"), "two dimensions or more"),
        (("--without", "offer"), "write dimension=option"),
        (("--use-case", str(tmp_path / "none.toml")), "cannot be read"),
    ):
        code, _, err = run("what-if", "second-order", *wrong)
        assert (code, said in " ".join(err.split())) == (2, True), err
    file = tmp_path / "other.toml"
    file.write_text("title = ")
    assert "is no TOML" in run("what-if", "second-order", "--use-case", str(file))[2]
    file.write_text((SHOP / "use_cases" / "second-order.toml").read_text())
    code, out, _ = run("what-if", "second-order", "--use-case", str(file), "--policy", "uniform")
    assert (code, "log: second-order, version 1, 0 days" in out) == (0, True)
    file.write_text('title = "x"')
    assert run("what-if", "second-order", "--use-case", str(file))[0] == 2
    assert run("what-if", "second-ordr")[0] == 3
