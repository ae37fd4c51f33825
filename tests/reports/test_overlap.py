"""How much the audience of a use case is that of others, too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import ModuleType

import numpy as np

from opportune.decisions import UseCase, variants
from opportune.reports import SendsPerProfile, overlap, to_document
from opportune.storage import Stores


def people(stores: Stores) -> None:
    """A hundred profiles in one segment, the first forty in another, the last ten taken away."""
    for segment, low, high in (("everybody", 0, 100), ("buyers", 0, 40), ("away", 90, 100)):
        stores.state.rows(
            "insert into profile (profile_id, traits, first_seen_at, last_seen_at)"
            " select n, '{}', now(), now() from generate_series(0, 99) as n on conflict do nothing"
        )
        stores.state.rows(
            "insert into segment_membership (segment, profile_id, entered_at)"
            " select %(segment)s, n, now() from generate_series(%(low)s, %(high)s - 1) as n",
            {"segment": segment, "low": low, "high": high},
        )


def send(stores: Stores, use_case: str, profile: int, key: str, *, state: str = "sent") -> None:
    stores.state.rows(
        "insert into outbox (key, use_case, day, connector, profile_id, user_id, properties,"
        " due_at, state) values (%(key)s, %(use_case)s, '2026-01-10', 'braze', %(profile)s, 'u',"
        " '{}', now(), %(state)s)",
        {"key": key, "use_case": use_case, "profile": profile, "state": state},
    )


def test_the_audience_is_counted_in_the_groups_of_others(
    stores: Stores, history: ModuleType
) -> None:
    people(stores)
    case: UseCase = replace(history.use_case(), minus=("away",))
    other = replace(case, name="other", audience=("buyers",), minus=(), random_share=0.3)
    alone = replace(case, name="alone", audience=("away",), minus=())
    for key, name, profile in (("a", "next_offer", 1), ("b", "other", 1), ("c", "other", 2)):
        send(stores, name, profile, key)
    send(stores, "other", 3, "d", state="failed")
    send(stores, "elsewhere", 4, "e")
    found = overlap(stores, case, [case, other, alone], now=history.NOW)
    assert found.audience == 90
    groups, counts = np.unique(variants(other, np.arange(40)), return_counts=True)
    assert [(each.use_case, each.group, each.profiles, each.share) for each in found.elsewhere] == [
        ("other", group, count, count / 90)
        for group, count in zip(groups.tolist(), counts.tolist(), strict=True)
    ]
    assert found.sends == (
        SendsPerProfile(sends=0, use_cases=0, profiles=88),
        SendsPerProfile(sends=1, use_cases=1, profiles=1),
        SendsPerProfile(sends=2, use_cases=2, profiles=1),
    )
    assert found.by_several == 1
    assert found.answer.startswith("1 of 90 profiles were sent something by two use cases or more")
    assert to_document(found)["days"] == 28
    later = overlap(stores, case, [case, other], now=history.NOW + timedelta(days=40))
    assert later.sends == (SendsPerProfile(sends=0, use_cases=0, profiles=90),)


def test_nobody_overlaps_with_nobody(stores: Stores, history: ModuleType) -> None:
    found = overlap(stores, history.use_case(), [history.use_case()], now=history.NOW)
    assert (found.audience, found.elsewhere, found.sends, found.by_several) == (0, (), (), 0)
