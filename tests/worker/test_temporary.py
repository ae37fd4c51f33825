"""The profiles that test sends made in Braze are removed beside all other work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from opportune.project import Project
from opportune.storage import DatabaseUnavailable, Stores
from opportune.telemetry import Troubles
from opportune.worker.temporary import Temporary

NOTHING = Project(metrics={}, segments={}, use_cases={})
NOTE = (
    "insert into braze_test_profile values (%(id)s, %(url)s, 'next', 'ann', now() - interval '1 h')"
)


def test_what_is_old_enough_is_removed_once_a_minute_where_there_is_a_key(
    stores: Stores, sandbox: Any, api_key: str, until: Callable[..., None]
) -> None:
    def left() -> int:
        return len(stores.state.rows("select external_id from braze_test_profile"))

    def part(key: str) -> Temporary:
        keyed = replace(stores, settings=replace(stores.settings, braze_api_key=key))
        troubles = Troubles(passed_on=DatabaseUnavailable)
        worker: Any = SimpleNamespace(stores=keyed, aside=aside, troubles=troubles)
        return Temporary(worker)

    with ThreadPoolExecutor(1) as aside:
        stores.state.rows(NOTE, {"id": "opportune-test-1", "url": sandbox.url})
        part("").go_on(NOTHING)
        assert left() == 1
        with_key = part(api_key)
        with_key.go_on(NOTHING)
        until(lambda: left() == 0)
        stores.state.rows(NOTE, {"id": "opportune-test-2", "url": sandbox.url})
        with_key.go_on(NOTHING)
        with_key.go_on(NOTHING)
    assert left() == 1
