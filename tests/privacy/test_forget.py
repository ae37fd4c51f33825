"""Whoever is forgotten is nowhere any more, and what was measured stays what it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from opportune import privacy, profiles

ANA = "c000007"
NEEDLES = (ANA, "ana.maria@mail.example", "901-820", "+4930901820", "visitor-0815-ana")


def profile_id_of(life: Any) -> int:
    return profiles.get(life.stores.state, "user_id", ANA).profile_id


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_who_is_forgotten_is_in_no_file_and_no_table(life: Any, mode: privacy.Mode) -> None:
    profile_id = profile_id_of(life)
    needles = (*NEEDLES, f"{profile_id & (2**64 - 1):016x}", str(profile_id))
    assert len(life.found(*needles)) > 20
    done = life.forget(mode=mode)
    assert life.found(*needles) == []
    assert (done.state, done.step, done.error, done.done_at is not None) == (
        "done",
        None,
        None,
        True,
    )
    assert done.proof is not None
    proof: Any = done.proof
    assert [proof[part]["hits"] for part in ("lake", "log", "state", "other_files")] == [0] * 4
    assert proof["lake"]["files"] > 5
    assert proof["state"]["tables"] > 10
    with pytest.raises(profiles.UnknownProfile):
        profiles.get(life.stores.state, "user_id", ANA)


@pytest.mark.parametrize("mode", ["erase", "anonymise"])
def test_a_report_says_the_same_before_and_after(life: Any, mode: privacy.Mode) -> None:
    before = life.report()
    assert before.mature_days == 2
    life.forget(mode=mode)
    after = life.report()
    if mode == "erase":
        # Days that are not measured yet lose a decision; nothing that is measured moves.
        assert [day for day in after.days if day.mature] == [
            day for day in before.days if day.mature
        ]
        before, after = (
            replace(each, days=(), choices=(), contrasts=()) for each in (before, after)
        )
    before, after = (replace(each, deliveries=()) for each in (before, after))
    assert after == before
