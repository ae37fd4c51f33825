"""What is known of one profile on request is what the day's run knows of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune import rules
from opportune.decisions import (
    Constraints,
    Dimension,
    Feature,
    Forbidden,
    Option,
    QuietHours,
    UseCase,
    snapshot,
)
from opportune.decisions.judge import eligibility, judge_of
from opportune.decisions.read_traits import features_of
from opportune.profiles.snapshot import SNAPSHOT
from opportune.storage import Stores

DAY = date(2026, 3, 1)
MOST = 12
NAMES = ("n", "plan", "a/b", "due")
TEXTS = (
    *("", "plus", "basic", "true", "false", "True", "t", "1", "1.0", "0", "-0", "+5", "05"),
    *(".5", "5.", "1e5", "1E-5", "1e", "e5", "1e999", "-1e999", "nan", "inf", "-Infinity"),
    *(" 7 ", "\t7\n", "7 8", "1_000", "0x1f", "1,5", "--1", "1.2.3", "٣", "½", "-", ".", "+"),
    *("2026-02-25", "2026-03-04", "2026-03-01T00:00:00Z", "null", "[1]"),
)
numbers = st.one_of(
    st.integers(-10, 10),
    st.integers(-(2**62), 2**62),
    st.floats(-1e6, 1e6).map(lambda each: round(each, 3)),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
values = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    st.sampled_from(TEXTS),
    st.text(alphabet="0123456789+-.eE xinfatru_", max_size=6),
    st.lists(st.integers(0, 3), max_size=2),
    st.just({"n": 1}),
)
traits = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)
leaves = st.one_of(
    st.builds(
        lambda name, op, value: {"trait": name, op: value},
        st.sampled_from(NAMES),
        st.sampled_from(["at_least", "less_than", "is"]),
        st.integers(-10, 10),
    ),
    st.builds(lambda name: {"trait": name, "exists": True}, st.sampled_from(NAMES)),
    st.builds(lambda value: {"trait": "plan", "is": value}, st.sampled_from(["plus", "1", ""])),
    st.builds(lambda value: {"trait": "plan", "is_not": value}, st.sampled_from(["plus", "1"])),
    st.just({"trait": "plan", "one_of": ["plus", "basic"]}),
    st.just({"trait": "due", "in_next_days": 7}),
    st.just({"trait": "due", "before": "2026-03-01"}),
)
bodies = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda each: {"not": each}, inner),
        st.builds(lambda each: {"all": each}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda each: {"any": each}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=5,
)
features = st.lists(
    st.one_of(
        st.sampled_from(NAMES).map(lambda name: Feature(trait=name, one_of=())),
        st.sampled_from(NAMES).map(
            lambda name: Feature(trait=name, one_of=("plus", "1", "true", "1.5", "-3", ""))
        ),
    ),
    max_size=4,
)
versions = itertools.count(1)
spans = st.sampled_from([None, date(2026, 2, 28), DAY, date(2026, 3, 2)])
hours = st.sampled_from([None, (time(21), time(8)), (time(9), time(9, 30)), (time(0), time(23))])


def rule(body: dict[str, Any] | None) -> rules.Rule | None:
    return None if body is None else rules.parse(body, where="rule")


def options(bodies: list[dict[str, Any] | None], valid: list[date | None]) -> tuple[Option, ...]:
    return tuple(
        Option(
            name=f"{8 + place:02}",
            eligible=rule(body),
            valid_from=valid[place % 2],
            valid_until=valid[place % 2 + 1],
        )
        for place, body in enumerate(bodies)
    )


@pytest.fixture
def everybody(stores: Stores, people: Callable[..., None]) -> Stores:
    people(range(MOST))
    return stores


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    known=st.lists(traits, min_size=1, max_size=MOST),
    features=features,
    first=st.lists(st.one_of(st.none(), bodies), min_size=1, max_size=4),
    second=st.lists(st.one_of(st.none(), bodies), min_size=1, max_size=4),
    valid=st.lists(spans, min_size=3, max_size=3),
    barred=st.lists(
        st.tuples(
            st.sets(st.integers(0, 3), min_size=1, max_size=2),
            st.sets(st.integers(0, 3), min_size=1, max_size=2),
            st.one_of(st.none(), bodies),
        ),
        max_size=3,
    ),
    quiet=hours,
)
def test_one_profile_is_known_as_all_are(
    everybody: Stores,
    use_case: Callable[..., UseCase],
    known: list[dict[str, object]],
    features: list[Feature],
    first: list[dict[str, Any] | None],
    second: list[dict[str, Any] | None],
    valid: list[date | None],
    barred: list[tuple[set[int], set[int], dict[str, Any] | None]],
    quiet: tuple[time, time] | None,
) -> None:
    version = next(versions)
    dimensions = tuple(
        Dimension(name=name, meaning=meaning, options=options(bodies, valid))
        for name, meaning, bodies in (("first", "hour", first), ("second", "choice", second))
    )
    constraints = Constraints(
        forbidden=tuple(
            Forbidden(
                options={
                    "first": tuple(f"{8 + each:02}" for each in one),
                    "second": tuple(f"{8 + each:02}" for each in other),
                },
                when=rule(when),
            )
            for one, other, when in barred
        ),
        quiet_hours=quiet and QuietHours(start=quiet[0], end=quiet[1]),
    )
    case = use_case(
        version=version,
        features=tuple(features),
        dimensions=dimensions,
        constraints=constraints,
    )
    told = [json.dumps(each) for each in known]
    rows = pa.table(
        {
            "profile_id": pa.array(range(len(known)), pa.int64()),
            "user_id": pa.array([f"u{place}" for place in range(len(known))]),
            "traits": pa.array(told),
        },
        schema=SNAPSHOT,
    )
    assert snapshot(everybody, case, DAY, rows)
    every = everybody.lake.read("features").to_pylist()
    kept = sorted(
        (row for row in every if row["version"] == version), key=lambda row: row["profile_id"]
    )
    judged = [judge_of(case, DAY).judge(json.loads(text)) for text in told]
    np.testing.assert_array_equal(
        np.array([features_of(case, json.loads(text)) for text in told]),
        np.array([row["values"] for row in kept], float),
    )
    np.testing.assert_array_equal(
        eligibility(case, judged).options, np.array([row["eligible"] for row in kept])
    )
    assert [each.forbidden for each in judged] == [row["forbidden"] for row in kept]
    for each in judged:
        without = sum(len(bodies) for bodies in (first, second)) - sum(
            mask.bit_count() for mask in each.options
        )
        assert len(each.excluded) == without + each.forbidden.bit_count()


def test_what_is_excluded_says_by_which_rule(use_case: Callable[..., UseCase]) -> None:
    judged = judge_of(use_case(), DAY).judge({"fiber": False})
    assert judged.options == (0b101, 0b11)
    assert [(dict(each.options), each.because) for each in judged.excluded] == [
        ({"offer": "fiber"}, "only where fiber is true")
    ]
    assert judge_of(use_case(), DAY).judge({"fiber": True}) == replace(
        judged, options=(0b111, 0b11), excluded=()
    )
