"""Publishing an audience: what it costs to tell one destination of many who come and go.

So many people enter the one segment of an audience, are published, leave it and are published
again. The floor is the plain COPY of the same messages into a table without an index, measured in
the same run. Also what noting the change costs the statement that moves the members.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from opportune import activation, pipeline
from opportune.activation import Publishing, parse_destination
from opportune.events import FieldPolicies
from opportune.segments import Audience, parse_segment
from opportune.settings import Settings
from opportune.storage import Stores, open_stores, stage

PEOPLE = 100_000
RULE = {"rule": {"event": "Order Completed"}}
PROFILES = """
with named as (select 'user-' || n as value from generate_series(1, %(people)s) as n),
known as (
    insert into profile (profile_id, traits, first_seen_at, last_seen_at)
    select identity_hash('user_id', value), '{"plan": "gold"}', now(), now() from named
)
insert into identifier (kind, value, profile_id, linked_at)
select 'user_id', value, identity_hash('user_id', value), now() from named
"""
ENTER = """
insert into segment_membership (segment, profile_id, entered_at)
select 'buyers', profile_id, now() from profile order by profile_id
"""
LEAVE = "update segment_membership set left_at = now()"
ANALYZE = "analyze profile, identifier, segment_membership"
LIVE = """
insert into live_segment (segment, version, begun_at, filled_at) values ('buyers', 1, now(), now())
"""


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    parser.add_argument("--people", type=int, default=PEOPLE, help="who come and go")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        figures = measured(Path(folder), given.people)
    for name, value in figures.items():
        print(f"{name:<36} {value:>14,.2f}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def measured(folder: Path, people: int) -> dict[str, float]:
    """Changes per second, each way, and the floor."""
    with closing(open_stores(Settings(data_folder=folder), now=datetime.now(UTC))) as stores:
        pipeline.create_tables(stores)
        state = stores.state
        state.rows(PROFILES, {"people": people})
        state.rows(LIVE)
        unnoted = seconds(lambda: state.rows(ENTER))
        state.rows("delete from segment_membership")
        publish(stores)
        noted = seconds(lambda: state.rows(ENTER))
        state.rows(ANALYZE)
        found = {
            "members_move_ms_per_1000": unnoted * 1e6 / people,
            "members_move_noted_ms_per_1000": noted * 1e6 / people,
        }
        for name in ("entered", "exited"):
            spent = seconds(lambda: publish(stores))
            found[f"{name}_changes_per_s"] = people / spent
            found[f"{name}_ms_per_1000"] = spent * 1e6 / people
            if name == "entered":
                state.rows(LEAVE)
        count = state.rows("select count(*)::int as n from outbox")[0]["n"]
        assert count == 2 * people, count
        found["nothing_to_do_ms"] = seconds(lambda: publish(stores)) * 1e3
        found["copy_floor_rows_per_s"] = 2 * people / copied(stores)
        return found


def publish(stores: Stores) -> None:
    """Publish until nothing is left to do."""
    while activation.publish(stores.state, publishing(), now=datetime.now(UTC)):
        pass


def publishing() -> Publishing:
    """One audience of one segment, for one destination."""
    body = {"title": "x", "connector": "file", "audiences": ["reach"], "traits": ["plan"]}
    segment = parse_segment("buyers", RULE, [])
    destination = parse_destination("crm", body, [])
    assert segment is not None
    assert destination is not None
    audience = Audience(name="reach", title="x", segments=("buyers",), minus=(), labels=())
    return Publishing(
        audiences={"reach": audience},
        destinations={"crm": destination},
        segments={"buyers": segment},
        policies=FieldPolicies(),
    )


def copied(stores: Stores) -> float:
    """Seconds to copy the same messages into a table of nothing else."""
    rows = stores.state.rows("select key, user_id, message from outbox")
    table = pa.Table.from_pylist(rows)
    columns = ("key text", "user_id text", "message text")
    with stores.state.transaction() as connection:
        return seconds(lambda: stage(connection, "floor", columns, table))


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
