"""Killed at any effect and started again, it comes to the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from opportune import privacy
from opportune.privacy import carry_out as pass_
from opportune.storage import Connection, DuckDB, State

NEEDLES = ("c000010", "ana.maria@mail.example", "901-820", "+4930901820", "visitor-0815-ana")
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


class Killed(BaseException):
    """Ends everything, as kill -9 does."""


class Fate:
    """Counts effects, before and after each; kills at the one that is chosen."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.passed = 0

    def step(self) -> None:
        self.passed += 1
        if self.passed - 1 == self.at:
            raise Killed


class MortalState(State):
    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url)
        self._fate = fate

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self._fate.step()
        with super().transaction() as connection:
            yield connection
        self._fate.step()


def mortal(life: Any, fate: Fate, patch: pytest.MonkeyPatch) -> Any:
    """The same life, in which every effect may be the last."""
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


@pytest.mark.parametrize("part", range(6))
def test_a_pass_that_was_killed_goes_on(shop: Any, part: int) -> None:
    if part == 0:
        mode: privacy.Mode = "erase"
    mode = "erase" if part % 2 else "anonymise"
    with shop.copy() as life, pytest.MonkeyPatch.context() as patch:
        life.ask(mode=mode)
        whole = Fate()
        mortal(life, whole, patch).carry_out()
    assert whole.passed > 80
    for at in range(part * 13 % 17, whole.passed, 17):
        with shop.copy() as life:
            before = life.report()
            asked = life.ask(mode=mode)
            with pytest.MonkeyPatch.context() as patch:
                dying = mortal(life, Fate(at), patch)
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
