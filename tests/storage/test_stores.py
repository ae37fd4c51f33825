"""Stores: opened together, with nothing touched that need not be up."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opportune.settings import Settings
from opportune.storage import DatabaseUnavailable, Frame, Stores, attach, open_stores, read_frames

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


def test_stores_are_open_and_migrated(stores: Stores, settings: Settings) -> None:
    assert stores.state.rows("select count(*) as many from outbox") == [{"many": 0}]
    assert stores.embedded is None
    assert stores.database_url == settings.database_url
    assert stores.engine.lake is stores.lake
    assert stores.lake.folder == settings.data_folder / "lake"


def test_the_log_is_open_until_its_stack_ends(stores: Stores) -> None:
    frame = Frame(received_at_us=1, source_id="shop", kind="batch", body=b"{}")
    with ExitStack() as stack:
        stores.open_log(stack).append(frame).result()
    (found,), _ = read_frames(stores.settings.log_folder, {}, limit_bytes=1000)
    assert (found.source_id, found.body) == ("shop", b"{}")


def test_stores_are_named_while_the_database_is_away(tmp_path: Path) -> None:
    away = f"postgresql://postgres@/postgres?host={tmp_path}"
    settings = Settings(data_folder=tmp_path / "data", database_url=away)
    stores = attach(settings)
    assert not settings.data_folder.exists()
    stores.close()
    with pytest.raises(DatabaseUnavailable):
        open_stores(settings, now=NOW)
