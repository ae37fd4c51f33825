"""Profiles that an earlier version kept go on under the new rules."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime

import pytest

from opportune import profiles
from opportune.storage import State, migrate, migrations

MODULE = importlib.import_module("opportune.storage.migrate")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD = """
insert into profile (profile_id, traits, trait_set_at, first_seen_at, last_seen_at) values
    (identity_hash('user_id', 'u1'), '{"plan": "plus", "n": 1}',
        '{"plan": 1767225600000001, "n": 1767225600000001, "gone": 1767225600000002}',
        '2026-01-01Z', '2026-02-01Z'),
    (identity_hash('anonymous_id', 'a2'), '{}', '{}', '2026-01-05Z', '2026-01-06Z');
insert into identifier (kind, value, profile_id, linked_at) values
    ('user_id', 'u1', identity_hash('user_id', 'u1'), '2026-01-02Z'),
    ('anonymous_id', 'a1', identity_hash('user_id', 'u1'), '2026-01-03Z'),
    ('anonymous_id', 'a2', identity_hash('anonymous_id', 'a2'), '2026-01-05Z');
"""


def test_what_was_known_is_the_user_ids_and_a_link_can_be_cut(
    fresh_database: Callable[..., AbstractContextManager[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database(template="template0") as url, closing(State(url)) as state:
        first = {1: migrations()[1]}
        with monkeypatch.context() as before:
            before.setattr(MODULE, "migrations", lambda: first)
            migrate(state)
        for statement in OLD.split(";")[:-1]:
            state.rows(statement)
        migrate(state)
        known = profiles.get(state, "anonymous_id", "a1")
        assert known.identifiers == (("anonymous_id", "a1"), ("user_id", "u1"))
        assert known.traits == {"plan": "plus", "n": 1}
        assert profiles.get(state, "user_id", "u1", view="none").traits == {"plan": "plus", "n": 1}
        told = "select told from identifier where value = 'u1'"
        assert state.rows(told) == [
            {
                "told": {
                    "1767225600000001": {"plan": "plus", "n": 1},
                    "1767225600000002": {"gone": None},
                }
            }
        ]
        (link,) = profiles.identity(state, "user_id", "u1").links
        assert (link.other, link.occurred_at, link.set_aside) == (
            ("anonymous_id", "a1"),
            datetime(2026, 1, 3, tzinfo=UTC),
            None,
        )
        profiles.cut(state, "anonymous_id", "a1", by="ann", reason="a tablet", now=NOW)
        assert profiles.get(state, "user_id", "u1").traits == {"plan": "plus", "n": 1}
        assert profiles.get(state, "anonymous_id", "a1").traits == {}
        alone = profiles.get(state, "anonymous_id", "a2")
        assert alone.first_seen_at == datetime(2026, 1, 5, tzinfo=UTC)
