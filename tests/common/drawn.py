"""Random rules and histories that fit each other: few names, few values, times that collide."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import strategies as st

from opportune.rules import Event, Facts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
MINUTE_US = 60_000_000

EVENTS = ["A", "B", "C"]
FIELDS = ["p", "q", "when"]
SEGMENTS = ["vip", "new"]
UNITS = {"minutes": [1, 15, 30, 45], "hours": [1, 2], "days": [1, 2], "weeks": [1]}
DATES = [
    "2026-03-01",
    "2026-02-27",
    "2026-03-01T12:00:00Z",
    "2026-02-28T13:00:00.000001+01:00",
    "2026-03-03T11:59:59.999999999Z",
]
TEXTS = ["x", "xy", "ax", "", "2", *DATES]
NUMBERS: list[float] = [0, 1, 2, -1, 0.1, 0.2, 1.5, 2e12, -0.0]
NO_DATES = ["2026-02-30", "2026-03-01T12:00:00", "2026-03-01 12:00:00Z", "2026-03-01\n", "1 March"]

values = st.one_of(
    st.sampled_from(["x", 1]),
    st.sampled_from(["x", 1]),
    st.sampled_from(TEXTS + NO_DATES),
    st.sampled_from(NUMBERS),
    st.booleans(),
    st.none(),
    st.just([1]),
)
fields = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, values))


def leaves(noun: str) -> st.SearchStrategy[dict[str, object]]:
    """Conditions on one trait, or on one property."""
    name = st.sampled_from(FIELDS)
    kinds: list[st.SearchStrategy[dict[str, object]]] = [
        st.fixed_dictionaries({key: st.sampled_from([*TEXTS[:5], *NUMBERS[:7], True])})
        for key in ("is", "is_not")
    ]
    kinds += [
        st.fixed_dictionaries({key: st.sampled_from(NUMBERS[:7])})
        for key in ("at_least", "at_most", "more_than", "less_than")
    ]
    kinds += [
        st.fixed_dictionaries({key: st.sampled_from(["x", "y", "2", "Z"])})
        for key in ("contains", "starts_with", "ends_with")
    ]
    kinds += [st.fixed_dictionaries({key: st.sampled_from(DATES)}) for key in ("before", "after")]
    kinds += [
        st.fixed_dictionaries({key: st.sampled_from([1, 2, 3])})
        for key in ("in_last_days", "in_next_days")
    ]
    kinds += [
        st.fixed_dictionaries({"exists": st.booleans()}),
        st.fixed_dictionaries({"one_of": st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2)}),
        st.fixed_dictionaries({"one_of": st.lists(st.sampled_from(NUMBERS), min_size=1)}),
    ]
    return st.builds(lambda field, rest: {noun: field, **rest}, name, st.one_of(*kinds))


def nested(inner: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[dict[str, object]]:
    """The rules themselves, and all, any and not of them."""
    return st.recursive(
        inner,
        lambda each: st.one_of(
            st.lists(each, max_size=3).map(lambda rules: {"all": rules}),
            st.lists(each, min_size=1, max_size=3).map(lambda rules: {"any": rules}),
            each.map(lambda rule: {"not": rule}),
        ),
        max_leaves=3,
    )


spans = st.sampled_from([(unit, count) for unit, counts in UNITS.items() for count in counts]).map(
    lambda pair: {pair[0]: pair[1]}
)
wheres = nested(leaves("property"))
events = st.sampled_from(EVENTS) | st.lists(st.sampled_from(EVENTS), min_size=1, max_size=2)
plain = st.fixed_dictionaries({"event": events})
# Conditions that most events fail would leave no sequence that happened.
matches = st.one_of(plain, plain, plain, st.fixed_dictionaries({"event": events, "where": wheres}))
windows = st.one_of(
    st.just({}),
    st.just({}),
    st.just({}),
    st.fixed_dictionaries({"within": spans}, optional={"ago": spans}),
    st.fixed_dictionaries(
        {},
        optional={
            "ago": spans,
            "since": st.sampled_from(["2026-02-28", "2026-03-01T11:00:00Z"]),
            "until": st.sampled_from(["2026-02-28", "2026-03-01T11:30:00Z", "2026-03-01"]),
        },
    ),
)
operators = st.sampled_from(["is", "is_not", "at_least", "at_most", "more_than", "less_than"])
counts = st.builds(lambda key, count: {key: count}, operators, st.sampled_from([0, 1, 2, 3]))
amounts = st.builds(
    lambda key, amount, field: {key: amount, "property": field},
    operators,
    st.sampled_from([0, 1, 1.5, 0.3, 0.15, 2]),
    st.sampled_from(FIELDS),
)
aggregates = st.one_of(
    st.just({}),
    counts.map(lambda each: {"count": each}),
    st.builds(
        lambda name, each: {name: each},
        st.sampled_from(["sum", "average", "minimum", "maximum"]),
        amounts,
    ),
    st.builds(
        lambda each, field: {"distinct": {**each, "property": field}},
        counts,
        st.sampled_from(FIELDS),
    ),
)
happened = st.builds(
    lambda *each: {k: v for part in each for k, v in part.items()}, matches, aggregates, windows
)


def distances(least: int) -> st.SearchStrategy[dict[str, object]]:
    """How far apart two steps may be."""
    return st.one_of(
        spans,
        st.fixed_dictionaries(
            {"events": st.sampled_from([1, 2, 3])}, optional={"of": st.sampled_from(EVENTS)}
        ),
        st.fixed_dictionaries({"sessions": st.integers(least, 2)}),
    )


later = st.builds(
    lambda match, rest: {**match, **rest},
    matches,
    st.one_of(
        st.just({}),
        st.builds(dict, after=distances(1)),
        st.builds(dict, within=distances(0)),
        st.builds(dict, without=matches),
        st.fixed_dictionaries(
            {}, optional={"after": distances(1), "within": distances(0), "without": matches}
        ),
    ),
)
absent = st.builds(
    lambda match, rest: {**match, "absent": True, **rest},
    matches,
    st.fixed_dictionaries({}, optional={"within": spans}),
)
sequences = st.builds(
    lambda first, middle, last, rest, window: {
        "sequence": [first, *middle, last],
        **rest,
        **window,
    },
    matches,
    st.lists(later, max_size=2),
    later | absent,
    st.sampled_from([{}, {}, {}, {"same": "p"}]),
    windows,
)
of_events = happened | sequences
sessions = nested(of_events).map(lambda rule: {"session": rule})
members = st.sampled_from(SEGMENTS).map(lambda name: {"segment": name})
documents = nested(
    st.one_of(leaves("trait"), happened, happened, sequences, sequences, sessions, members)
)

# Times around now on a coarse grid, so that events collide and stand at the very ends of spans.
offsets = st.sampled_from([0, 1, 15, 29, 30, 31, 45, 60, 61, 90, 120, 180, 1440, 2880, 10080]).map(
    lambda minutes: -minutes * MINUTE_US
)
nudges = st.sampled_from([0, 0, 0, 1, -1, 5 * MINUTE_US, -7 * MINUTE_US])
happenings = st.tuples(
    st.sampled_from([*EVENTS, *EVENTS, "D", None]), offsets, nudges, st.integers(0, 99), fields
)
histories = st.sampled_from([0, 2, 4, 8, 12]).flatmap(
    lambda size: st.lists(happenings, min_size=size, max_size=size)
)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Draw a profile; no two of its events have the same message id."""
    happened = {
        message: Event(
            event=name,
            occurred_at_us=NOW_US + offset + nudge,
            message_id=f"m{message}",
            properties=properties,
        )
        for name, offset, nudge, message, properties in draw(histories)
    }
    return Facts(
        now=NOW,
        traits=draw(fields),
        events=tuple(sorted(happened.values(), key=lambda e: (e.occurred_at_us, e.message_id))),
        segments=frozenset(draw(st.sets(st.sampled_from(SEGMENTS)))),
    )


def relations(profiles: Sequence[Facts]) -> dict[str, pa.Table]:
    """The same profiles as the relations that a statement reads; ids count from 0."""
    return {
        "profiles": pa.table(
            {
                "profile_id": pa.array(range(len(profiles)), pa.int64()),
                "traits": pa.array(
                    [json.dumps(dict(each.traits)) for each in profiles], pa.string()
                ),
            }
        ),
        "events": _columns(
            [
                {
                    "profile_id": profile_id,
                    "event": event.event,
                    "occurred_at_us": event.occurred_at_us,
                    "message_id": event.message_id,
                    "properties": json.dumps(dict(event.properties)),
                }
                for profile_id, each in enumerate(profiles)
                for event in reversed(each.events)
            ],
            ["event", "message_id", "properties"],
            ["profile_id", "occurred_at_us"],
        ),
        "members": _columns(
            [
                {"profile_id": profile_id, "segment": segment}
                for profile_id, each in enumerate(profiles)
                for segment in sorted(each.segments)
            ],
            ["segment"],
            ["profile_id"],
        ),
    }


def _columns(rows: list[dict[str, object]], texts: list[str], numbers: list[str]) -> pa.Table:
    types = {**dict.fromkeys(texts, pa.string()), **dict.fromkeys(numbers, pa.int64())}
    return pa.table(
        {name: pa.array([row[name] for row in rows], type_) for name, type_ in types.items()}
    )


def later_than(facts: Facts, elapsed: timedelta) -> Facts:
    """The same profile, some time later."""
    return Facts(
        now=facts.now + elapsed,
        traits=facts.traits,
        events=facts.events,
        segments=facts.segments,
    )
