from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from opportune.rules import Event, Facts, Rule, holds, parse, to_sql

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"tests_rules_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# Strategies are needed when the tests are collected, before any fixture.
_load("drawn")

Ask = Callable[[Rule, Sequence[Facts]], list[bool]]


@pytest.fixture(scope="session")
def ask() -> Iterator[Ask]:
    """What DuckDB says of each profile, asked in bulk."""
    drawn = sys.modules["tests_rules_drawn"]
    with duckdb.connect(config={"threads": 1}) as engine:

        def answer(rule: Rule, profiles: Sequence[Facts]) -> list[bool]:
            sql = to_sql(rule, now=profiles[0].now)
            for name, relation in drawn.relations(profiles).items():
                engine.register(name, relation)
            found = [row[0] for row in engine.execute(sql.text, sql.parameters).fetchall()]
            assert found == sorted(set(found))
            return [profile_id in found for profile_id in range(len(profiles))]

        yield answer


Answer = Callable[..., bool]


@pytest.fixture
def answer(ask: Ask) -> Answer:
    """What a rule says of one profile, the same in Python and in bulk."""

    def answer(document: dict[str, object], facts: Facts) -> bool:
        rule = parse(document, where="rule")
        held = holds(rule, facts)
        assert ask(rule, [facts, Facts(now=facts.now)])[0] is held
        return held

    return answer


@pytest.fixture
def past() -> Callable[..., Facts]:
    """A profile to which these happened, each (name, minutes ago, properties), oldest first."""

    def past(*happened: tuple[object, ...], now: datetime = NOW) -> Facts:
        events = []
        for number, (name, minutes_ago, *rest) in enumerate(happened):
            assert isinstance(minutes_ago, int | float)
            at = now - timedelta(minutes=minutes_ago)
            events.append(
                Event(
                    event=str(name),
                    occurred_at_us=int(at.timestamp()) * 1_000_000 + at.microsecond,
                    message_id=f"m{number:03}",
                    properties=rest[0] if rest else {},  # type: ignore[arg-type]  # a test's own
                )
            )
        assert events == sorted(events, key=lambda each: each.occurred_at_us)
        return Facts(now=now, events=tuple(events))

    return past
