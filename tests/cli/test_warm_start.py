"""`opportune warm-start`: what it prints and refuses, as its page says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from opportune import pipeline, project, segments
from opportune.storage import Stores

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "warm-start.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n", flags=re.DOTALL | re.MULTILINE)
DIGEST = re.compile(r"digest \w{12}")
Run = Callable[..., tuple[int, str, str]]


def blocks(kind: str) -> list[str]:
    return [text for name, text in BLOCK.findall(PAGE.read_text()) if name == kind]


def campaign(rows: int = 3_000) -> pa.Table:
    """Who bought for yoga before wants the shipping, others the discount."""
    chance = np.random.default_rng(7)
    category = chance.choice(["yoga", "running", "outdoor"], rows)
    incentive = chance.choice(["nothing", "shipping", "ten"], rows, p=[0.34, 0.33, 0.33])
    fits = np.where(category == "yoga", incentive == "shipping", incentive == "ten")
    paid = (chance.random(rows) < np.where(fits, 0.4, 0.05)) * chance.integers(20, 90, rows)
    return pa.table(
        {
            "orders_before": chance.poisson(2, rows),
            "days_since_order": chance.integers(1, 200, rows),
            "basket": chance.integers(10, 120, rows),
            "category": category,
            "incentive": incentive,
            "sent_by": chance.choice(["mail", "app"], rows),
            "sent_at": np.full(rows, 18),
            "paid": paid,
        }
    )


@pytest.fixture
def spring(tmp_path: Path, stores: Stores) -> tuple[str, ...]:
    """The shop is applied; how to say which campaign."""
    project.apply(stores.state, ROOT / "examples" / "shop", now=datetime.now(UTC))
    pipeline.create_tables(stores)
    csv.write_csv(campaign(), tmp_path / "spring.csv")
    (tmp_path / "spring.toml").write_text(blocks("toml")[0])
    return str(tmp_path / "spring.csv"), "--schema", str(tmp_path / "spring.toml")


def test_the_page_is_what_happens(run: Run, spring: tuple[str, ...], stores: Stores) -> None:
    typed, printed = blocks("")[:2]
    name, use_case, *options = typed.split()[1:]
    assert [*options] == ["spring.csv", "--schema", "spring.toml"]
    code, out, err = run(name, use_case, *spring)
    assert (code, DIGEST.sub("", out)) == (0, DIGEST.sub("", printed))
    assert err.splitlines()[-1].startswith("warning: ")
    before = stores.state.rows("select * from model")
    code, out, _ = run(name, use_case, *spring, "--json")
    told = json.loads(out)
    assert (code, told["kept"], told["source"], told["share"]) == (0, False, "spring.csv", 0.2)
    assert f"{told['rows']:,} rows of spring.csv" in printed
    assert stores.state.rows("select * from model") == before


def test_the_report_names_where_the_first_day_came_from(
    run: Run, spring: tuple[str, ...], stores: Stores
) -> None:
    run("warm-start", "second-order", *spring, "--share", "0.5")
    _, out, _ = run("report", "second-order", "--json")
    assert json.loads(out)["begun_with"] is None
    assert run("run-day", "second-order", "--day", "2026-03-01")[0] == 0
    found = json.loads(run("report", "second-order", "--json")[1])["begun_with"]
    assert {key: found[key] for key in ("source", "outcome", "share")} == {
        "source": "spring.csv",
        "outcome": "revenue",
        "share": 0.5,
    }
    assert (found["rows"] + found["left_out"], len(found["digest"])) == (3_000, 32)
    _, out, _ = run("report", "second-order")
    words = " ".join(out.split())
    assert f"Warm start: {found['rows']:,} rows from spring.csv (digest" in words
    assert f"as 0.5 of an own one; {found['left_out']:,} rows left out." in words


def test_who_asks_before_the_first_day_is_answered_with_it(
    run: Run, spring: tuple[str, ...], take_in: Callable[..., None], stores: Stores
) -> None:
    now = datetime.now(UTC)
    said = {"userId": "ana", "timestamp": (now - timedelta(hours=1)).isoformat()}
    traits = {"first_category": "yoga", "orders": 1, "has_app": True, "may_be_mailed": True}
    order = {"order_id": "1", "revenue": 20, "currency": "EUR"}
    take_in(
        {"type": "identify", "messageId": "1", "traits": traits, **said},
        {
            "type": "track",
            "event": "Order Completed",
            "messageId": "2",
            "properties": order,
            **said,
        },
        received_at=now,
    )
    defined = project.read(stores.state).segments
    segments.current(stores, ("buyers", "complaints"), defined, now=now)
    asked = ("decide", "second-order", "user_id", "ana", "--dry-run", "--json")
    assert run(*asked)[2].startswith("not_started: ")
    run("warm-start", "second-order", *spring)
    code, out, err = run(*asked)
    assert (code, err) == (0, "")
    assert json.loads(out)["policy_version"] == "second-order/0/0001-01-01"
    offers = {each["action"]["offer"]: 0.0 for each in json.loads(out)["candidates"]}
    for each in json.loads(out)["candidates"]:
        offers[each["action"]["offer"]] += each["probability"]
    assert offers["free_shipping"] > 2 * offers.get("ten_percent", 0.0)


def test_what_does_not_fit_is_told_by_family(
    run: Run, spring: tuple[str, ...], tmp_path: Path, stores: Stores
) -> None:
    file, option, schema = spring
    text = Path(schema).read_text()
    Path(schema).write_text(text.replace('name = "orders"', 'name = "order"'))
    code, out, err = run("warm-start", "second-order", file, option, schema)
    assert (code, out) == (2, "")
    assert err.startswith(
        "campaign_does_not_fit: feature 'orders' of 'second-order': spring.toml has none of this "
        "name. Did you mean 'order'?"
    )
    Path(schema).write_text(text)
    assert run("warm-start", "second-order", file)[2].startswith("wrong_options: Give a FILE")
    both = run("warm-start", "second-order", file, option, schema, "--from", "second-order")
    assert both[0] == 2
    assert run("warm-start", "second-ordre", *spring)[0] == 3
    assert run("warm-start", "second-order", *spring, "--share", "2")[2].startswith("bad_share: ")
    assert run("warm-start", "second-order", *spring, "--outcome", "revenu")[0] == 3
    assert stores.state.rows("select from model") == []


def test_another_use_case_can_be_gone_on_from(
    run: Run, spring: tuple[str, ...], tmp_path: Path, stores: Stores
) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "shop", folder)
    second = folder / "use_cases" / "second-order.toml"
    second.with_name("third-order.toml").write_text(second.read_text())
    project.apply(stores.state, folder, now=datetime.now(UTC))
    asked = ("warm-start", "third-order", "--from", "second-order")
    code, _, err = run(*asked)
    assert (code, err.partition(":")[0]) == (4, "nothing_learned")
    run("warm-start", "second-order", *spring)
    run("run-day", "second-order", "--day", "2026-03-01")
    stores.state.rows("update model set trained_through = day where version > 0")
    code, out, _ = run(*asked)
    assert code == 0
    assert out.startswith(
        "third-order: its first day goes on from what it learned of use case "
        "second-order/1/2026-03-01 (digest "
    )
    assert run(*asked)[1].endswith("before: no change.\n")
