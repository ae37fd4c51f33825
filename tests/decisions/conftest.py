"""Profiles in segments, and use cases to decide for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

import pyarrow as pa
import pytest

from opportune import rules
from opportune.decisions import Activation, Dimension, Feature, Option, UseCase
from opportune.storage import Stores, fetch, stage

USE_CASE = UseCase(
    name="next",
    version=1,
    title="Next",
    success_metric="orders",
    audience=("everybody",),
    minus=(),
    features=(Feature(trait="n", one_of=()), Feature(trait="plan", one_of=("basic", "plus"))),
    dimensions=(
        Dimension(
            name="offer",
            meaning="choice",
            options=(
                Option(name="tv", eligible=None),
                Option(
                    name="fiber",
                    eligible=rules.parse({"trait": "fiber", "is": True}, where="rule"),
                ),
                Option(name="sim", eligible=None),
            ),
        ),
        Dimension(
            name="channel",
            meaning="choice",
            options=(Option(name="email", eligible=None), Option(name="sms", eligible=None)),
        ),
    ),
    control_share=0.1,
    policy="uniform",
    decide_at=time(6),
    activation=Activation(connector="braze", config={}),
)


@pytest.fixture
def use_case() -> Callable[..., UseCase]:
    """Return the use case of these tests with changes."""

    def make(**changes: Any) -> UseCase:
        return replace(USE_CASE, **changes)

    return make


@pytest.fixture
def people(stores: Stores) -> Callable[..., None]:
    """Make profiles with these ids, user ids "u{id}" and traits, all in ``segments``."""

    def make(
        ids: Sequence[int],
        traits: Sequence[dict[str, object]] | dict[str, object] | None = None,
        *,
        segments: Sequence[str] = ("everybody",),
    ) -> None:
        each = traits if isinstance(traits, list) else [traits or {}] * len(ids)
        rows = pa.table(
            {
                "profile_id": pa.array(ids, pa.int64()),
                "traits": pa.array([json.dumps(one) for one in each], pa.string()),
            }
        )
        with stores.state.transaction() as connection:
            stage(connection, "person", ("profile_id bigint", "traits text"), rows)
            for statement in (
                "insert into profile (profile_id, traits, first_seen_at, last_seen_at)"
                " select profile_id, traits::jsonb, now(), now() from person",
                "insert into identifier (kind, value, profile_id, linked_at)"
                " select 'user_id', 'u' || profile_id, profile_id, now() from person",
                "insert into segment_membership (segment, profile_id, entered_at)"
                " select segment, profile_id, %(at)s from person"
                " cross join unnest(%(segments)s::text[]) as segment",
            ):
                facts = {"at": datetime(2026, 3, 1, tzinfo=UTC), "segments": list(segments)}
                fetch(connection, statement, facts)

    return make
