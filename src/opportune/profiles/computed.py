"""Computed traits: values from the events of a profile, refreshed for all at once, in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc

from opportune import rules
from opportune.documents import Document
from opportune.profiles.regroup import ROOM
from opportune.profiles.snapshot import identifiers
from opportune.storage import Stores, fetch, load_sql, stage

__all__ = ["ComputedTrait", "compute", "parse_computed_trait"]

COLUMNS = ("profile_id bigint", "name text", "number double precision", "text text")
LONGEST_TEXT = 500
COMPUTES: tuple[rules.Compute, ...] = get_args(rules.Compute)
# What may show a value that somebody sent, and not only how many or how much.
SHOWING = ("first", "last", "most_frequent", "minimum", "maximum")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedTrait:
    """A trait that nobody tells: it follows from events, and is read like any other.

    It counts before a trait of the same name that was told.
    """

    name: str
    title: str
    computation: rules.Computation

    @property
    def rule(self) -> rules.Rule:
        """A rule that reads the same events and properties."""
        asked = self.computation
        return rules.Happened(
            match=asked.match,
            window=asked.window,
            aggregate="count" if asked.property is None else "distinct",
            property=asked.property,
            operator="at_least",
            value=1.0,
        )

    @property
    def shown_property(self) -> str | None:
        """The property whose values it may repeat."""
        return self.computation.property if self.computation.compute in SHOWING else None


def parse_computed_trait(
    name: str, body: Mapping[str, object], problems: list[str]
) -> ComputedTrait | None:
    """Read the table of ``computed_traits/{name}.toml``; mistakes go to ``problems``, then None.

    >>> body = {"event": "Order Completed", "compute": "sum", "property": "revenue",
    ...         "within": {"days": 90}}
    >>> parse_computed_trait("revenue_90d", body, []).computation.property
    'revenue'
    """
    before = len(problems)
    document = Document(body, f"computed_traits/{name}.toml", problems)
    title = document.text("title", name)
    asked = document.text("compute")
    compute = next((each for each in COMPUTES if each == asked), None)
    if compute is None and asked:
        document.wrong("compute", f"{asked!r} given, must be one of {', '.join(COMPUTES)}.")
    field = document.text("property") if "property" in body else None
    if compute is not None and (field is None) != (compute in rules.OF_EVENTS):
        needed = "takes no property" if field is not None else "needs the property to look at"
        document.wrong("property", f"'{compute}' {needed}.")
    told = {"title", "compute", "property"}
    happened = _happened({key: value for key, value in body.items() if key not in told}, document)
    if len(problems) > before or compute is None or happened is None:
        return None
    computation = rules.Computation(
        match=happened.match, window=happened.window, compute=compute, property=field
    )
    return ComputedTrait(name=name, title=title, computation=computation)


def compute(stores: Stores, traits: Iterable[ComputedTrait], *, now: datetime) -> int:
    """Calculate ``traits`` for all profiles as of ``now``; return how many profiles changed.

    Every value that does not hold any more is gone, so windows move with each call. One scan of
    the events in its window for each trait; calling it again with the same ``now`` changes nothing.
    """
    known = identifiers(stores.state)
    found = [_values(stores, each, known, now) for each in traits]
    schema = pa.schema(
        [
            ("profile_id", pa.int64()),
            ("name", pa.string()),
            ("number", pa.float64()),
            ("text", pa.string()),
        ]
    )
    values = pa.concat_tables([schema.empty_table(), *(each.cast(schema) for each in found)])
    with stores.state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_computed"))
        stage(connection, "computed_value", COLUMNS, values)
        facts = {"now": now}
        dropped = fetch(connection, load_sql(ROOM, "drop_computed"))[0]["count"]
        changed = fetch(connection, load_sql(ROOM, "keep_computed"), facts)[0]["count"]
        fetch(connection, load_sql(ROOM, "computed_as_of"), facts)
        count: int = dropped + changed
    return count


def _values(stores: Stores, trait: ComputedTrait, known: pa.Table, now: datetime) -> pa.Table:
    asked = trait.computation
    query = rules.computation(asked, now=now, events=load_sql(ROOM, "own_events"))
    rows = stores.engine.query(
        query.text,
        query.parameters,
        tables={"events": ("occurred_at_us", *rules.span_us(asked.window, now=now))},
        relations={"identifiers": known},
    )
    # What no database keeps, or nobody would call a value.
    texts = pc.fill_null(rows["text"], "")
    short = pc.less_equal(pc.utf8_length(texts), LONGEST_TEXT)
    rows = rows.filter(pc.and_(short, pc.invert(pc.match_substring_regex(texts, r"\x00"))))
    return rows.add_column(1, "name", pa.repeat(pa.scalar(trait.name), rows.num_rows))


def _happened(asked: Mapping[str, object], document: Document) -> rules.Happened | None:
    """Read which events are meant, and when they must have happened, as a rule says it."""
    wrong = [key for key in asked if key in rules.AGGREGATES]
    for key in wrong:
        document.wrong(key, "stands in a rule. Here it is: compute = ... and property = ...")
    if wrong:
        return None
    try:
        rule = rules.parse({"event": None, **asked}, where=document.where)
    except rules.InvalidRule as error:
        document.problems.extend(error.problems)
        return None
    return rule if isinstance(rule, rules.Happened) else None
