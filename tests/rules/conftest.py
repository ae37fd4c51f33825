from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

import drawn
from opportune.rules import Event, Facts, Rule, holds, parse, to_sql

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


Ask = Callable[[Rule, Sequence[Facts]], list[bool]]


@pytest.fixture(scope="session")
def ask() -> Iterator[Ask]:
    """What DuckDB says of each profile, asked in bulk."""
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
