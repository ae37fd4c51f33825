"""Ten days of the whole program, with every query of it asked of DuckDB and of Spark."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from opportune import (
    decisions,
    events,
    pipeline,
    privacy,
    profiles,
    project,
    reports,
    rules,
    segments,
)
from opportune.settings import Settings
from opportune.simulate import internet_provider
from opportune.storage import Frame, SegmentLog, Stores, load_sql, open_engine, open_stores
from opportune.testing import Compared

# Every query that reads the lake: what the ten days ask of it, and what `beside` asks.
BY_THE_DAYS = {
    "activation/sql/treatment_of_day.sql",
    "decisions/sql/delays.sql",
    "decisions/sql/held_back.sql",
    "decisions/sql/snapshot_of_day.sql",
    "learning/sql/credit.sql",
    "learning/sql/days_to_learn.sql",
    "learning/sql/lessons.sql",
    "learning/sql/matured_days.sql",
    "learning/sql/open_days.sql",
    "privacy/sql/person_decisions.sql",
    "privacy/sql/person_events.sql",
    "privacy/sql/person_features.sql",
    "profiles/sql/days_received.sql",
    "profiles/sql/may_speak.sql",
    "profiles/sql/own_events.sql",
    "reports/sql/day_audience.sql",
    "reports/sql/day_calibration.sql",
    "reports/sql/day_choices.sql",
    "reports/sql/day_choices_by_segment.sql",
    "reports/sql/day_decided.sql",
    "reports/sql/day_earned.sql",
    "reports/sql/day_edges.sql",
    "reports/sql/decided_counts.sql",
    "reports/sql/decisions_of_person.sql",
    "reports/sql/events_of_person.sql",
    "reports/sql/first_decided.sql",
    "reports/sql/rewarded_days.sql",
    "reports/sql/shadow.sql",
    "reports/sql/totals_so_far.sql",
    "segments/sql/events.sql",
}
BESIDE = {
    "activation/sql/decisions_of_day.sql",
    "cli/sql/treated.sql",
    "decisions/sql/capped.sql",
    "decisions/sql/cooled.sql",
    "decisions/sql/first_decided.sql",
    "decisions/sql/guard_rail.sql",
    "decisions/sql/had.sql",
    "decisions/sql/spend.sql",
    "decisions/sql/spend_of_day.sql",
    "decisions/sql/waiting.sql",
    "events/history/sql/added.sql",
    "events/history/sql/told.sql",
    "events/sql/chosen_rejects.sql",
    "events/sql/recall.sql",
    "events/sql/rejects.sql",
    "learning/sql/logged.sql",
    "learning/sql/logged_days.sql",
    "pipeline/sql/own_events.sql",
    "privacy/sql/decisions_of.sql",
    "privacy/sql/old_names.sql",
    "replay/sql/held_out.sql",
    "replay/sql/identified.sql",
    "replay/sql/logged_decisions.sql",
    "replay/sql/outcomes.sql",
    "reports/sql/decision_by_id.sql",
    "reports/sql/decision_days.sql",
    "reports/sql/decision_log.sql",
    "reports/sql/first_of_version.sql",
    "reports/sql/known_asked.sql",
    "reports/sql/known_of_day.sql",
    "reports/sql/reconcile.sql",
    "segments/sql/kept_events.sql",
}
LAKE = ("events", "rejects", "features", "asked_features", "decisions", "rewards")
# What is asked of a relation called like a table of the lake, by the process that has it at hand.
AT_HAND = {"segments/sql/date_of_property.sql", "segments/sql/verdict.sql"}

CUSTOMERS = 2000
NAME = "next-best-offer"
FIRST = date(2026, 3, 1)
DAYS = [FIRST + timedelta(days=place) for place in range(10)]
DECODERS: dict[str, events.Decoder] = {
    "batch": events.decode_segment,
    events.OWN: events.decode_own,
}
# What may stand in a shop's events: amounts, and what is none.
AMOUNTS: list[object] = [
    10,
    19.99,
    "12.5",
    "12,5",
    "5d",
    " 1_000 ",
    "",
    "abc",
    True,
    None,
    1e300,
    [1],
]
SALES = rules.Measure(
    match=rules.Match(
        events=("Order Completed", "Product Viewed"), where=rules.Exists(name="order_id")
    ),
    amount=rules.Named(name="revenue"),
)
SEQUENCE = {
    "sequence": [
        {"event": "Product Viewed"},
        {"event": "Order Completed", "within": {"days": 3}},
    ]
}


def morning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC)


def frame(messages: list[dict[str, object]], at: datetime) -> Frame:
    return Frame(
        received_at_us=int(at.timestamp() * 1_000_000),
        source_id="shop",
        kind="batch",
        body=json.dumps({"batch": messages}).encode(),
    )


def decided_by_people(at: datetime) -> Frame:
    """A decision that is gone again, and what else Opportune told its own log."""
    now_us = int(at.timestamp() * 1_000_000)
    said: dict[str, dict[str, object]] = {
        "Identity Decided": {"place": 1, "decision_id": 1, "gone": True},
        "Segment Memberships": {"segment": "a", "memberships": []},
    }
    return events.own_frame(
        [events.Own(event=name, at_us=now_us, properties=each) for name, each in said.items()],
        now_us=now_us,
    )


def customers() -> list[dict[str, object]]:
    at = (morning(FIRST) - timedelta(days=1)).isoformat()
    return [
        {
            "type": "identify",
            "messageId": f"customer-{row['user_id']}",
            "userId": row["user_id"],
            "timestamp": at,
            "traits": {name: value for name, value in row.items() if name != "user_id"},
        }
        for row in internet_provider(customers=CUSTOMERS, seed=1).traits.to_pylist()
    ]


def lived(stores: Stores, day: date, random: np.random.Generator) -> list[dict[str, object]]:
    """What customers did on a day: some name the decision, some come unnamed, some are strange."""
    decided = stores.lake.read("decisions", ["decision_id", "user_id", "day"])
    names = {row["user_id"]: row["decision_id"] for row in decided.to_pylist() if row["day"] == day}
    messages: list[dict[str, object]] = [{"type": "track", "messageId": f"nobody-{day}"}]
    for user in sorted(names):
        if random.random() > 0.15:
            continue
        at = morning(day) + timedelta(minutes=int(random.integers(1, 40 * 60)))
        amount = AMOUNTS[int(random.integers(len(AMOUNTS)))]
        properties: dict[str, object] = {"order_id": f"{day}-{user}", "revenue": amount}
        if random.random() < 0.5:
            properties["decision_id"] = names[user]
        for event in ("Product Viewed", "Order Completed"):
            messages.append(
                {
                    "type": "track",
                    "event": event,
                    "messageId": f"{event}-{day}-{user}",
                    "userId": user,
                    "timestamp": at.isoformat(),
                    "properties": properties,
                }
            )
    return messages


@pytest.fixture(scope="module")
def both(spark_address: str) -> Iterator[tuple[Stores, Compared]]:
    """The stores after ten days, their engine being two that were compared all the way."""
    random = np.random.default_rng(1)
    with (
        # Not below pytest's own folder, which it closes to the user of the embedded database.
        tempfile.TemporaryDirectory(prefix="opportune-test-", ignore_cleanup_errors=True) as place,
        closing(opened_in(Path(place))) as opened,
    ):
        compared = Compared(open_engine(spark_address, opened.lake))
        stores = replace(opened, engine=compared)
        with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as given:
            project.apply(stores.state, given, now=morning(FIRST))
        ingest = pipeline.Ingest(stores, DECODERS)
        accept(stores, ingest, frame(customers(), morning(FIRST)))
        accept(stores, ingest, decided_by_people(morning(FIRST)))
        definitions = project.read(stores.state)
        for day in DAYS:
            pipeline.run_day(stores, definitions, NAME, day, now=morning(day))
            noon = morning(day) + timedelta(hours=6)
            accept(stores, ingest, frame(lived(stores, day, random), noon))
        ingest.close()
        yield stores, compared
        compared.close()


def opened_in(place: Path) -> Stores:
    place.chmod(0o755)
    return open_stores(Settings(data_folder=place / "data"), now=morning(FIRST))


def accept(stores: Stores, ingest: pipeline.Ingest, taken: Frame) -> None:
    log = SegmentLog(stores.settings.log_folder)
    log.append(taken).result()
    log.close()
    ingest.catch_up()


def test_every_query_that_reads_the_lake_is_compared(lake_statements: dict[str, str]) -> None:
    known = BY_THE_DAYS | BESIDE | AT_HAND
    assert lake_statements.keys() - known == set(), "ask it in `beside` as well"
    assert known - lake_statements.keys() == set(), "there is no such query"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.xdist_group("spark")
def test_every_query_of_the_program_has_the_same_rows_on_both_engines(
    both: tuple[Stores, Compared], lake_statements: dict[str, str]
) -> None:
    stores, compared = both
    definitions = project.read(stores.state)
    use_case = definitions.use_case(NAME)
    metric = definitions.metric_of(use_case)
    report = reports.performance(stores, use_case, metric, now=morning(DAYS[-1]))
    assert report.mature_days >= 5
    chosen = reports.insights(stores, use_case, now=morning(DAYS[-1]))
    assert len(chosen.days) >= report.mature_days
    assert reports.delay_curve(stores, use_case, metric, now=morning(DAYS[-1])).rewarded > 0
    assert report.treatment.reward_sum > 0
    assert segment_size(stores) > 100
    assert computed(stores) > 100
    look_up(stores)
    by_the_days = asked(compared, lake_statements)
    assert by_the_days == BY_THE_DAYS
    for name, parameters, relations in beside(stores):
        room, _, file = name.partition("/sql/")
        text = load_sql("opportune." + room.replace("/", "."), file.removesuffix(".sql"))
        tables = {
            table: None
            for table in LAKE
            if re.search(rf"\b{table}\b", text) and table not in relations
        }
        if "from measured" in text:
            asked_of = rules.measured(SALES, text, parameters)
            text, parameters = asked_of.text, asked_of.parameters
        compared.query(text, parameters, tables=tables, relations=relations)
    assert asked(compared, lake_statements) - by_the_days == BESIDE


def asked(compared: Compared, lake_statements: dict[str, str]) -> set[str]:
    """The names of those that both engines were asked, alone or as a part of another."""
    texts = [body(text) for text in compared.asked]
    return {
        name
        for name, text in lake_statements.items()
        # What is measured comes before the statement's own first part.
        if any(body(text).removeprefix("with ") in each for each in texts)
    }


def body(text: str) -> str:
    """A statement without what is said about it: some are a part of another."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()


def segment_size(stores: Stores) -> int:
    """Ask for a sequence of events, which reads the lake."""
    segment = segments.Segment(
        name="came-back",
        title="Came back",
        rule=rules.parse(SEQUENCE, where="rule"),
    )
    known = profiles.snapshot(stores.state)
    return segments.refresh(stores, segment, known, now=morning(DAYS[-1]))


def computed(stores: Stores) -> int:
    """Calculate a trait of each kind from the events of everybody."""
    traits = []
    for compute in get_args(rules.Compute):
        of = {} if compute in rules.OF_EVENTS else {"property": "revenue"}
        body = {"event": "Order Completed", "compute": compute, "within": {"days": 90}, **of}
        traits.append(profiles.parse_computed_trait(compute, body, problems := []))
        assert problems == []
    worth = {"event": "Order Completed", "value": "revenue * 2", "unit": "EUR", "window_days": 90}
    for aggregate in ("sum", "last"):
        metric = events.parse_metric("worth", {**worth, "aggregate": aggregate}, [])
        body = {"metric": "worth"}
        metrics = {"worth": metric}
        traits.append(profiles.parse_computed_trait(aggregate, body, [], metrics=metrics))
    known = [trait for trait in traits if trait is not None]
    return profiles.compute(stores, known, now=morning(DAYS[-1]))


def look_up(stores: Stores) -> None:
    """Ask for all of one person: the timeline, and the export."""
    bought = stores.lake.read("events", ["user_id", "event"])
    bought = bought.filter(pc.equal(bought["event"], "Order Completed"))
    user_id = bought["user_id"].to_pylist()[0]
    profile = profiles.get(stores.state, "user_id", user_id)
    entries = reports.timeline(stores, profile.profile_id).entries
    assert {each.kind for each in entries} >= {"event", "decision"}
    found = privacy.export_person(stores, "user_id", user_id, now=morning(DAYS[-1]))
    assert min(len(found[part]) for part in ("events", "decisions", "features")) > 1


def contacts(
    users: pa.ChunkedArray, names: tuple[str, str] = ("tv_bundle", "newsletter")
) -> dict[str, pa.Table]:
    """What cool-downs and cadences are asked by, on the last day but two."""
    numbers = [number for number in range(-7, 3) if number]
    wide = pa.int64()
    asked = {
        "version": pa.array([1, 1], pa.int32()),
        "name": list(names),
        "position": pa.array([1, 1], wide),
        "dimension": pa.array([0, 0], wide),
        "choice": pa.array([1, 4], wide),
        "days": pa.array([3, 6], wide),
    }
    near = [DAYS[-3] + timedelta(days=number) for number in numbers]
    days = {"day": near, "number": pa.array(numbers, wide)}
    holders = {"user_id": users, "profile_id": pa.array(range(len(users)), wide)}
    return {"days": pa.table(days), "asked": pa.table(asked), "holders": pa.table(holders)}


def listed(stores: Stores) -> Iterator[tuple[str, dict[str, Any], dict[str, pa.Table]]]:
    """The list of decisions: of everybody, and of some people with an option."""
    ids = sorted(set(stores.lake.read("decisions", ["profile_id"])["profile_id"].to_pylist()))[:20]
    people = pa.table({"profile_id": pa.array(ids, pa.int64())})
    place = {"version": pa.array([1], pa.int32()), "position": pa.array([2], pa.int64())}
    facts = {"use_case": NAME, "from_day": FIRST.isoformat(), "to_day": DAYS[-1].isoformat()}
    facts |= {"version": 0, "variant": "", "option": "", "explored": -1, "anybody": 1}
    facts |= {"lowest_id": ids[0], "highest_id": ids[-1]}
    some = {"variant": "treatment", "option": "sms", "explored": 0, "anybody": 0}
    relations = {"ids": people, "places": pa.table(place)}
    for chosen in (facts, facts | some):
        yield "reports/sql/decision_days.sql", chosen, relations
        page = {"skipped": 3, "wanted": 10}
        yield "reports/sql/decision_log.sql", chosen | page, relations


def explained(stores: Stores) -> Iterator[tuple[str, dict[str, Any], dict[str, pa.Table]]]:
    """What one decision is explained by."""
    stores.lake.create("asked_features", decisions.ASKED_FEATURES)
    names = ["decision_id", "day", "profile_id"]
    one = stores.lake.read("decisions", names).slice(0, 1).to_pylist()[0]
    facts = {"decision_id": one["decision_id"], "day": one["day"].isoformat()}
    yield "reports/sql/decision_by_id.sql", facts, {}
    yield "reports/sql/known_asked.sql", facts, {}
    who = {"use_case": NAME, "version": 1, "profile_id": one["profile_id"], "day": facts["day"]}
    yield "reports/sql/known_of_day.sql", who, {}


def beside(stores: Stores) -> Iterator[tuple[str, dict[str, Any], dict[str, pa.Table]]]:
    """What running days and reporting on them does not ask."""
    day = {"use_case": NAME, "day": DAYS[2].isoformat()}
    users = stores.lake.read("decisions", ["user_id", "day"])
    users = users.filter(pc.equal(users["day"], pa.scalar(DAYS[2])))["user_id"]
    count = len(users)
    chosen = {
        "user_id": users,
        "action": pa.array([["a", "b"]] * count),
        "propensity": pa.repeat(0.25, count),
        "dimension_propensities": pa.array([[0.5, 0.5]] * count),
    }
    outcomes = {"user_id": users, "place": range(count), "value": [1.5, 0.0] * (count // 2)}
    first_us, last_us = (int(morning(each).timestamp()) * 1_000_000 for each in (FIRST, DAYS[-1]))
    first_at, last_at = morning(FIRST), morning(DAYS[-1])
    refused = stores.lake.read("rejects", ["source_id", "received_at", "index", "code"])
    known = stores.lake.read("events", ["message_id", "source_id", "received_at_us"]).slice(0, 50)
    page = dict.fromkeys(
        ("code", "source", "event", "since_at", "before_at", "before_source", "before_code")
    )
    sent = refused.slice(0, 2)
    for name, values in {"outcome": ["accepted", None], "waiting": [False, True]}.items():
        sent = sent.append_column(name, pa.array(values))
    assert refused.num_rows == len(DAYS)
    yield (
        "events/sql/rejects.sql",
        page | {"before_index": None, "open": True, "rows": 7},
        {"sent": sent},
    )
    yield "events/sql/chosen_rejects.sql", {}, {"chosen": refused.slice(0, 4), "sent": sent}
    yield (
        "events/sql/recall.sql",
        {"first_us": first_us, "last_us": last_us, "first_at": first_at, "last_at": last_at},
        {"batch": known.append_column("place", pa.array(range(50)))},
    )
    yield "events/history/sql/told.sql", {"source_id": "shop", "import_id": "1"}, {}
    yield "events/history/sql/added.sql", {"began_us": 0, "import_id": "1"}, {}
    counted = {"use_case": NAME, "target": "c1", "first_us": 0, "end_us": last_us}
    for is_apart in (True, False):
        by = {"send_ids": ["s1"] if is_apart else [], "is_apart": is_apart}
        yield "reports/sql/reconcile.sql", counted | by, {}
    yield "pipeline/sql/own_events.sql", {}, {}
    asked = stores.lake.read("decisions", ["profile_id"]).slice(0, 40)
    yield "activation/sql/decisions_of_day.sql", day, {}
    yield "privacy/sql/decisions_of.sql", {}, {"asked": asked}
    yield "privacy/sql/old_names.sql", {"newest_us": last_us}, {}
    for query in ("cooled", "had", "waiting"):
        yield f"decisions/sql/{query}.sql", {"use_case": NAME}, contacts(users)
    yield "decisions/sql/capped.sql", {}, contacts(users, names=(NAME, ""))
    wanted = pa.table({"event": ["Order Completed"]})
    for every in (True, False):
        facts = {"low_us": first_us + 86_400_000_000, "every": every}
        yield "segments/sql/kept_events.sql", facts, {"wanted": wanted}
    since = {"use_case": NAME, "from_day": FIRST.isoformat()}
    yield "decisions/sql/first_decided.sql", since, {}
    people = stores.lake.read("decisions", ["profile_id", "user_id"])
    named = {
        "kind": pa.repeat("user_id", people.num_rows),
        "value": people["user_id"],
        "profile_id": people["profile_id"],
        "since_us": pa.repeat(0, people.num_rows),
    }
    windows = dict.fromkeys(("window_us", "watched_us"), 86_400_000_000)
    rail = {**since, "day": DAYS[-1].isoformat(), **windows, "until_us": None}
    for aggregate in ("count", "sum", "unique_days", "mean", "last"):
        yield (
            "decisions/sql/guard_rail.sql",
            {**rail, "aggregate": aggregate},
            {"identifiers": pa.table(named)},
        )
    for aggregate in ("sum", "unique_days", "mean", "last"):
        since = {"aggregate": aggregate, "until_us": last_us}
        asked_since = asked.append_column("first_us", pa.repeat(first_us, asked.num_rows))
        beside_it = {"identifiers": pa.table(named), "asked": asked_since}
        yield "reports/sql/brought_since.sql", since, beside_it
    for by_day in (True, False):
        facts = {"aggregate": "mean", "by_day": by_day, "from_us": first_us, "until_us": last_us}
        yield "reports/sql/metric_days.sql", facts, {"identifiers": pa.table(named)}
    yield "reports/sql/first_of_version.sql", {**day, "version": 1}, {}
    yield (
        "reports/sql/metric_before.sql",
        {
            "aggregate": "sum",
            "from_us": first_us,
            "middle_us": (first_us + last_us) // 2,
            "to_us": last_us,
        },
        {"identifiers": pa.table(named), "asked": asked},
    )
    yield "decisions/sql/spend.sql", {"use_case": NAME}, {}
    yield "decisions/sql/spend_of_day.sql", day, {}
    yield from listed(stores)
    yield from explained(stores)
    yield "learning/sql/logged.sql", {**day, "version": 1}, {}
    yield "learning/sql/logged_days.sql", {"use_case": NAME}, {}
    yield "cli/sql/treated.sql", day, {}
    yield "replay/sql/held_out.sql", day, {}
    yield "replay/sql/identified.sql", {"source_id": "shop"}, {}
    yield (
        "replay/sql/logged_decisions.sql",
        {**day, "decided_at_us": 1_772_000_000_000_000},
        {"chosen": pa.table(chosen)},
    )
    yield (
        "replay/sql/outcomes.sql",
        {**day, "event": "Bought", "timestamp": "2026-03-03T12:00:00Z", "per_request": 100},
        {"outcomes": pa.table(outcomes)},
    )
