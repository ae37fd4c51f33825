"""Who was forgotten is not brought back by building State again from all events."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from opportune import pipeline, worker

AFTER = datetime(2026, 3, 6, tzinfo=UTC)


def rebuilt(life: Any) -> dict[str, tuple[int, int, int]]:
    with ExitStack() as stack:
        done = pipeline.rebuild(
            life.stores,
            worker.decoders(life.stores),
            life.stores.open_log(stack),
            swap=False,
            now=AFTER,
        )
    return {
        each.table: (each.only_live, each.only_built, each.differing)
        for each in done.tables
        if not each.is_equal
    }


@pytest.mark.parametrize("mode", ["erase", pytest.param("anonymise", marks=pytest.mark.slow)])
def test_who_was_forgotten_does_not_come_back(life: Any, mode: str) -> None:
    assert rebuilt(life) == {}
    life.forget(mode=mode)
    assert rebuilt(life) == {}
