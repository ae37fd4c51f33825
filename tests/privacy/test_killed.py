"""Killed at any effect and started again, it comes to the same."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from mortal import Fate, Killed, MortalState
from opportune import privacy
from opportune.storage import DuckDB

NEEDLES = ("c000013", "ana.maria@mail.example", "901-820", "+4930901820", "visitor-0815-ana")
EFFECTS = (
    "rewrite",
    "drop_history",
    "purge",
    "blank",
    "blank_notes",
    "remember",
    "search",
    "scrub",
)


def watched(life: Any, fate: Fate, patch: pytest.MonkeyPatch) -> Any:
    """The same life, in which every effect may be the last."""
    pass_ = sys.modules["opportune.privacy.carry_out"]
    for name in EFFECTS:
        real = getattr(pass_, name)

        def acted(*given: Any, _real: Any = real, **named: Any) -> Any:
            fate.step()
            done = _real(*given, **named)
            fate.step()
            return done

        patch.setattr(pass_, name, acted)
    state = MortalState(life.stores.database_url, fate)
    return replace(life, stores=replace(life.stores, state=state))


@pytest.mark.slow
@pytest.mark.xdist_group("killed")
@pytest.mark.parametrize("part", range(6))
def test_a_pass_that_was_killed_goes_on(shop: Any, part: int) -> None:
    mode: privacy.Mode = "erase" if part % 2 else "anonymise"
    with shop.copy() as life, pytest.MonkeyPatch.context() as patch:
        life.ask(mode=mode)
        whole = Fate()
        watched(life, whole, patch).carry_out()
    assert whole.passed > 80
    for at in range(part * 13 % 17, whole.passed, 17):
        with shop.copy() as life:
            before = life.report()
            asked = life.ask(mode=mode)
            with pytest.MonkeyPatch.context() as patch:
                dying = watched(life, Fate(at=at), patch)
                with pytest.raises(Killed):
                    dying.carry_out()
                dying.stores.state.close()
            fresh = replace(life.stores, engine=DuckDB(life.stores.lake))
            assert replace(life, stores=fresh).carry_out() in ([asked.request_id], [])
            done = privacy.request(life.stores.state, asked.request_id)
            assert (done.state, done.error) == ("done", None)
            assert done.proof is not None
            assert life.found(*NEEDLES) == []
            assert life.report().treatment == before.treatment
            assert life.report().control == before.control
