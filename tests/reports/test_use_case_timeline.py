"""What a use case went through is told in order, with what changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from opportune import reports
from opportune.reports.use_case_timeline import differences
from opportune.storage import Stores

BODY = {"title": "A", "dimensions": [{"name": "channel", "options": [{"name": "email"}]}]}
AT = datetime(2026, 1, 1, 6, tzinfo=UTC)


def test_versions_stops_and_training_are_told_the_newest_first(stores: Stores) -> None:
    options = [{"name": "email", "cost": 0.1}, {"name": "sms"}]
    later = {"title": "A", "dimensions": [{"name": "channel", "options": options}]}
    for version, body, day in ((1, BODY, 1), (2, later, 3), (3, later, 4)):
        stores.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " values ('use_case', 'next', %(version)s, %(body)s::jsonb, %(at)s)",
            {"version": version, "body": json.dumps(body), "at": AT.replace(day=day)},
        )
    stores.state.rows(
        "insert into use_case_stop (use_case, day, stopped_at, reason, resumed_at, resumed_by)"
        " values ('next', '2026-01-05', %(at)s, 'too many left', %(on)s, 'ann')",
        {"at": AT.replace(day=5), "on": AT.replace(day=6)},
    )
    stores.state.rows(
        "insert into model (use_case, version, day, trained_through, body) values"
        " ('next', 1, '2026-01-02', null, ''), ('next', 2, '2026-01-07', '2026-01-05', '')"
    )
    found = reports.use_case_timeline(stores.state, "next", now=AT)
    assert [(each.at.day, each.title, each.by, each.details) for each in found.incidents] == [
        (7, "Policy of 2026-01-07, version 2", "", ("learned from days through 2026-01-05",)),
        (6, "Decides again", "ann", ()),
        (5, "Stopped by a guard rail on 2026-01-05", "", ("too many left",)),
        (4, "Version 3 applied", "", ("what its success metric counts has changed",)),
        (
            3,
            "Version 2 applied",
            "",
            (
                "dimensions.channel.options.email.cost: 0.1 is new",
                "dimensions.channel.options.sms is new",
            ),
        ),
        (2, "Policy of 2026-01-02, version 1", "", ("learned from nothing yet",)),
        (1, "Version 1 applied", "", ()),
    ]


def test_a_long_value_is_cut_and_a_state_names_who_set_it(stores: Stores) -> None:
    (line,) = differences({"title": "a"}, {"title": "b" * 500})
    assert line == 'title: "a" → "' + "b" * 199 + "…"
    stores.state.rows(
        "insert into use_case_state (use_case, state, changed_at, changed_by, by_definition)"
        " values ('next', 'paused', %(at)s, 'ann', false)",
        {"at": AT},
    )
    (only,) = reports.use_case_timeline(stores.state, "next", now=AT).incidents
    assert (only.kind, only.title, only.by) == ("state", "State: paused", "ann")
