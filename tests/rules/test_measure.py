"""The events that a metric means, each with its amount, for a statement to read."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from opportune.rules import Match, Measure, Named, depends_on_time, measured, parse
from opportune.rules.model import Happened, Rule

STATEMENT = """-- Why it is asked.
with known as (
    select message_id, amount, event from measured
)
select message_id, amount from known where event <> $not order by message_id
"""


def happened(event: str, where: dict[str, object] | None = None) -> Match:
    given = {"event": event} if where is None else {"event": event, "where": where}
    rule = parse(given, where="rule")
    assert isinstance(rule, Happened)
    return rule.match


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    rows = [
        ("track", "Ordered", '{"revenue": 10, "store": "web"}'),
        ("track", "Ordered", '{"revenue": "2.5", "store": "web"}'),
        ("track", "Ordered", '{"store": "web"}'),
        ("track", "Ordered", '{"revenue": 7, "store": "shop"}'),
        ("track", "Viewed", '{"revenue": 8, "store": "web"}'),
        ("page", "Ordered", '{"revenue": 9, "store": "web"}'),
        ("track", "Ordered", "no json"),
    ]
    names = ("message_id", "source_id", "occurred_at_us", "received_at_us", "user_id")
    table = {name: [f"m{place}" for place in range(len(rows))] for name in names}
    table |= {name: [None] * len(rows) for name in ("anonymous_id", "context")}
    table |= {
        name: [row[place] for row in rows]
        for place, name in enumerate(("type", "event", "properties"))
    }
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("events", pa.table(table))
        yield connection


def ask(engine: duckdb.DuckDBPyConnection, measure: Measure) -> dict[str, float | None]:
    sql = measured(measure, STATEMENT, {"not": "Nothing"})
    return dict(engine.execute(sql.text, sql.parameters).fetchall())


def test_only_the_events_that_are_meant_are_there_each_with_its_amount(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    web = happened("Ordered", {"property": "store", "is": "web"})
    assert ask(engine, Measure(match=web, amount=Named(name="revenue"))) == {
        "m0": 10.0,
        "m1": 2.5,
        "m2": None,
    }
    assert ask(engine, Measure(match=web, amount=None)) == {"m0": 1.0, "m1": 1.0, "m2": 1.0}


def test_events_of_several_names_are_meant_and_bad_properties_stop_nobody(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    either = Match(events=("Ordered", "Viewed"), where=None)
    found = ask(engine, Measure(match=either, amount=Named(name="revenue")))
    assert found == {"m0": 10.0, "m1": 2.5, "m2": None, "m3": 7.0, "m4": 8.0, "m6": None}


def test_the_statement_stays_as_it_is_behind_what_it_reads() -> None:
    sql = measured(Measure(match=happened("Ordered"), amount=None), STATEMENT, {"not": "x"})
    assert sql.text.startswith("-- Why it is asked.\nwith measured as (\nselect")
    assert sql.text.endswith(STATEMENT.partition("with ")[2])
    assert sql.parameters == {"not": "x", "measure_1": "Ordered"}


@pytest.mark.parametrize(
    ("rule", "depends"),
    [
        ({"trait": "born", "in_last_days": 5}, True),
        ({"not": {"trait": "due", "in_next_days": 5}}, True),
        ({"trait": "born", "before": "2026-01-01"}, False),
    ],
)
def test_a_rule_on_near_dates_depends_on_the_time(rule: dict[str, object], depends: bool) -> None:
    read: Rule = parse(rule, where="rule")
    assert depends_on_time(read) is depends
