"""Write keys: told once, kept as digests, and a file that is whole at every instant."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import pytest

from opportune.keys import BrokenKeys, InvalidSource, create_key, keys_file
from opportune.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path / "data")


def kept(settings: Settings) -> dict[str, dict[str, str | int]]:
    found: dict[str, dict[str, str | int]] = json.loads(keys_file(settings).read_text())
    return found


def test_only_digests_are_kept(settings: Settings) -> None:
    keys = [create_key(settings, source) for source in ("shop", "shop", "braze")]
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {32}
    assert kept(settings) == {
        hashlib.sha256(key.encode()).hexdigest(): {"source_id": source, "name": source}
        for key, source in zip(keys, ("shop", "shop", "braze"), strict=True)
    }
    everything = b"".join(file.read_bytes() for file in settings.data_folder.iterdir())
    assert [key for key in keys if key.encode() in everything] == []


def test_the_file_is_replaced_whole(settings: Settings) -> None:
    create_key(settings, "shop")
    before = keys_file(settings).open("rb")
    create_key(settings, "braze")
    with before:
        assert len(json.loads(before.read())) == 1
    assert len(kept(settings)) == 2
    names = sorted(file.name for file in settings.data_folder.iterdir())
    assert names == ["keys.json", "keys.lock"]


def test_a_write_that_was_cut_off_leaves_the_keys_of_before(settings: Settings) -> None:
    create_key(settings, "shop")
    keys_file(settings).with_suffix(".new").write_text('{"half')
    create_key(settings, "braze")
    assert len(kept(settings)) == 2


def test_no_key_is_lost_when_many_are_made_at_once(settings: Settings) -> None:
    together = threading.Barrier(8)

    def make() -> None:
        together.wait()
        create_key(settings, "shop")

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept(settings)) == 8


def test_a_source_may_be_allowed_larger_batches(settings: Settings) -> None:
    create_key(settings, "shop", max_batch_bytes=None)
    create_key(settings, "rudder", max_batch_bytes=4_000_000)
    assert list(kept(settings).values()) == [
        {"source_id": "shop", "name": "shop"},
        {"source_id": "rudder", "name": "rudder", "max_batch_bytes": 4_000_000},
    ]


@pytest.mark.parametrize("max_batch_bytes", [-1, 0, 16_000_001])
def test_a_batch_that_the_log_cannot_take_is_not_allowed(
    settings: Settings, max_batch_bytes: int
) -> None:
    with pytest.raises(InvalidSource) as refused:
        create_key(settings, "rudder", max_batch_bytes=max_batch_bytes)
    assert refused.value.message == (
        f"A body of {max_batch_bytes} bytes cannot be allowed. Give a whole number from 1 to "
        "16000000; RudderStack's libraries send up to 4000000."
    )
    assert not settings.data_folder.exists()


@pytest.mark.parametrize("source", ["", "Shop", "my shop", "-a", "a" * 64, "a/b", "ä", "shop\n"])
def test_a_bad_name_is_refused_and_nothing_is_written(settings: Settings, source: str) -> None:
    with pytest.raises(InvalidSource) as refused:
        create_key(settings, source)
    assert refused.value.message == (
        f"{source!r} cannot be a source's name. Allowed: small letters, digits, _ and -, 63 at "
        "most, the first a letter or digit."
    )
    assert not settings.data_folder.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", '{"a": 1}'])
def test_a_broken_file_is_kept_and_told(settings: Settings, body: str) -> None:
    settings.data_folder.mkdir()
    keys_file(settings).write_text(body)
    with pytest.raises(BrokenKeys, match="is not a file of write keys"):
        create_key(settings, "shop")
    assert keys_file(settings).read_text() == body
