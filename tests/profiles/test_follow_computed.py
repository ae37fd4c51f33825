"""Computed traits follow events: whoever is touched gets what a full calculation would give."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune import profiles, reports, rules
from opportune.errors import OpportuneError
from opportune.profiles import ComputedTrait, compute, follow_computed, parse_computed_trait
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
TakeIn = Callable[..., None]
NUMBERS = count()
# By name, because the room shows its function of the same name.
MODULE = importlib.import_module("opportune.profiles.compute")


def trait(name: str, **body: object) -> ComputedTrait:
    found = parse_computed_trait(name, body, problems := [])
    assert problems == []
    assert found is not None
    return found


ORDER = {"event": "Order Completed"}
TRAITS = (
    trait("orders", **ORDER, compute="count", within={"days": 10}),
    trait("large", **ORDER, compute="sum", property="n", where={"property": "n", "at_least": 2}),
    trait("last", **ORDER, compute="last", property="shop"),
    trait("usual", **ORDER, compute="most_frequent", property="shop", ago={"days": 2}),
    trait("pages", event="Page Viewed", compute="count"),
    # An event that makes nobody known.
    trait("sent", event="Message Sent", compute="days_since_last"),
)


def defined(stores: Stores, traits: tuple[ComputedTrait, ...] = TRAITS) -> None:
    for each in traits:
        stores.state.rows(
            "insert into definition (kind, name, version, body, created_at) values"
            " ('computed_trait', %(name)s, 1,"
            " jsonb_build_object('event', %(event)s::text, 'compute', 'count'), %(now)s)"
            " on conflict do nothing",
            {"name": each.name, "event": each.computations[0].match.events[0], "now": NOW},
        )


def message(days_ago: float, **said: object) -> dict[str, object]:
    at = NOW - timedelta(days=days_ago)
    return {"messageId": f"m{next(NUMBERS)}", "timestamp": at.isoformat(), **said}


def notes(stores: Stores) -> int:
    found: int = stores.state.rows(
        "select count(distinct profile_id)::int as n from computed_note"
    )[0]["n"]
    return found


def values(stores: Stores, user: str) -> dict[str, object]:
    found = reports.person(stores.state, "user_id", user, default_zone="UTC")
    return dict(found.computed.traits) if found.computed else {}


MESSAGES = st.builds(
    lambda who, what, days_ago, properties: message(
        days_ago, **who, **what, **({"properties": properties} if "event" in what else {})
    ),
    st.sampled_from(
        [
            *({"userId": "ana"}, {"userId": "ben"}, {"anonymousId": "a1"}, {"anonymousId": "a2"}),
            *({"userId": "ana", "anonymousId": "a1"}, {"userId": "ben", "anonymousId": "a2"}),
            {"userId": "ben", "anonymousId": "a1"},
        ]
    ),
    st.sampled_from(
        [
            *({"type": "track", "event": "Order Completed"} for _ in range(3)),
            *({"type": "track", "event": name} for name in ("Message Sent", "Other")),
            *({"type": "page"}, {"type": "identify", "traits": {"a": 1}}),
        ]
    ),
    st.floats(-1, 15, width=16),
    st.fixed_dictionaries(
        {"n": st.sampled_from([1, 2, 2.25, "x"]), "shop": st.sampled_from(["F", 'P"\\\n', 7])}
    ),
)
STEPS = st.lists(
    st.one_of(st.lists(MESSAGES, min_size=1, max_size=6), st.sampled_from(["wait", "cut"])),
    min_size=2,
    max_size=6,
)


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_values_are_those_of_a_full_calculation_after_each_step(
    stores: Stores, take_in: TakeIn, steps: list[list[dict[str, object]] | str]
) -> None:
    """One world for all examples: histories grow, people are linked and cut apart."""
    defined(stores)
    now = NOW
    compute(stores, TRAITS, now=now)
    for step in steps:
        if step == "wait":
            now += timedelta(days=1)
            compute(stores, TRAITS, now=now)
        elif step == "cut":
            for value in ("a1", "a2"):
                try:
                    profiles.cut(
                        stores.state, "anonymous_id", value, by="ann", reason="two", now=now
                    )
                except OpportuneError:
                    # Nobody has it, or nobody else.
                    continue
            take_in()
        else:
            take_in(*step)
        follow_computed(stores, TRAITS, now=now)
        assert notes(stores) == 0
        assert compute(stores, TRAITS, now=now) == 0


def test_an_event_that_no_trait_reads_is_nobodys_note(stores: Stores, take_in: TakeIn) -> None:
    defined(stores)
    compute(stores, TRAITS, now=NOW)
    take_in(message(1, userId="ana", type="track", event="Other"))
    follow_computed(stores, TRAITS, now=NOW)
    take_in(message(1, userId="ana", type="track", event="Other"))
    assert notes(stores) == 0
    take_in(message(1, userId="ana", type="track", event="Order Completed"))
    assert notes(stores) == 1
    assert follow_computed(stores, TRAITS, now=NOW) == 1
    assert values(stores, "ana") == {"orders": 1}
    assert follow_computed(stores, TRAITS, now=NOW) == 0


def test_notes_stay_until_what_they_ask_for_is_written(
    stores: Stores, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    defined(stores)
    compute(stores, TRAITS, now=NOW)
    take_in(message(1, userId="ana", type="page"))
    real = MODULE.fetch

    def killed(connection: object, text: str, *facts: object) -> object:
        if "delete from computed_note" in text:
            raise KeyboardInterrupt
        return real(connection, text, *facts)

    monkeypatch.setattr(MODULE, "fetch", killed)
    with pytest.raises(KeyboardInterrupt):
        follow_computed(stores, TRAITS, now=NOW)
    monkeypatch.undo()
    assert (values(stores, "ana"), notes(stores)) == ({}, 1)
    assert follow_computed(stores, TRAITS, now=NOW) == 1
    assert (values(stores, "ana"), notes(stores)) == ({"pages": 1}, 0)


def test_of_very_many_or_by_new_definitions_everybody_is_calculated(
    stores: Stores, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    defined(stores, TRAITS[:1])
    compute(stores, TRAITS[:1], now=NOW)
    take_in(message(1, userId="ana", type="page"), message(1, userId="ben", type="page"))
    stores.state.rows("delete from computed_note")
    # Nobody is noted, and everybody has the new trait.
    assert follow_computed(stores, TRAITS, now=NOW) == 2
    monkeypatch.setattr(MODULE, "MOST_NOTES", 1)
    stores.state.rows("delete from computed_trait")
    stores.state.rows("insert into computed_note (profile_id) values (1), (2)")
    assert follow_computed(stores, TRAITS, now=NOW) == 2
    assert notes(stores) == 0


def test_all_traits_in_one_statement_are_those_of_each_alone(
    stores: Stores, take_in: TakeIn
) -> None:
    shops = ("F", 'quote " and \\', "tab\tand line\n", "é")
    take_in(
        *(
            message(
                day, userId=f"u{day % 3}", **ORDER, type="track", properties={"n": n, "shop": shop}
            )
            for day, (n, shop) in enumerate((day * 1.37, shops[day % 4]) for day in range(12))
        )
    )
    traits = [
        trait(
            f"{kind}_{days}",
            **ORDER,
            compute=kind,
            within={"days": days},
            **({} if kind in rules.OF_EVENTS else {"property": field}),
        )
        for days, field in ((3, "n"), (9, "shop"))
        for kind in MODULE.rules.Compute.__args__
    ]
    compute(stores, traits, now=NOW)
    together = {f"u{each}": values(stores, f"u{each}") for each in range(3)}
    alone: dict[str, dict[str, object]] = {user: {} for user in together}
    for each in traits:
        compute(stores, [each], now=NOW)
        for user, found in alone.items():
            found |= values(stores, user)
    assert together == alone
    assert sum(map(len, together.values())) > 30
