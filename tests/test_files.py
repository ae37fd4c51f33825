"""Files that people give: which kind each is, and what is said of those that are none."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from opportune.documents import InvalidDefinition
from opportune.files import (
    FileNotFound,
    SchemaNotFound,
    UnusableFile,
    digest,
    kind_of,
    opened,
    position,
    read_toml,
)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"a,b\n1,2\n", "csv"),
        (b"\xef\xbb\xbfa\n1\n", "csv"),
        (b"PAR1....", "parquet"),
        (b'\n  {"a": 1}\n', "json_lines"),
        (gzip.compress(b'{"a": 1}', mtime=0), "json_lines"),
        (gzip.compress(b"a,b", mtime=0), "csv"),
    ],
)
def test_a_kind_is_told_from_the_first_bytes(tmp_path: Path, data: bytes, kind: str) -> None:
    (tmp_path / "file").write_bytes(data)
    assert kind_of(tmp_path / "file") == kind


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "file: the file is empty."),
        (gzip.compress(b"", mtime=0), "file: the file is empty."),
        (b"\xfe\xff\x00a", "file: the file is UTF-16. Save it as UTF-8."),
        (
            b" [1]",
            "file: this is one JSON list. Write each of its items on a line of its own.",
        ),
        (gzip.compress(b"PAR1", mtime=0), "file: Parquet inside gzip. Unpack it first."),
        (b"\x1f\x8bthis is no gzip", "file: it cannot be read: Unknown compression method."),
    ],
)
def test_what_is_of_no_kind_says_why(tmp_path: Path, data: bytes, problem: str) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(UnusableFile) as refusal:
        kind_of(tmp_path / "file")
    assert refusal.value.problems == (problem,)


def test_a_digest_differs_when_the_bytes_do(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    (tmp_path / "b").write_bytes(b"2")
    assert digest(tmp_path / "a") != digest(tmp_path / "b")
    assert len(digest(tmp_path / "a")) == 32


def test_what_is_no_file_says_so(tmp_path: Path) -> None:
    for read in (digest, kind_of):
        with pytest.raises(FileNotFound, match="There is no file"):
            read(tmp_path / "nowhere")
        with pytest.raises(FileNotFound, match="is a folder, not a file"):
            read(tmp_path)


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    """A socket stands for it: the superuser may read everything else."""
    import socket

    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(tmp_path)
        try:
            listening.bind("socket")
        finally:
            os.chdir(before)
        with pytest.raises(UnusableFile, match="socket: it cannot be read: "):
            digest(tmp_path / "socket")


def test_a_gzip_that_ends_too_early_is_told_while_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(gzip.compress(os.urandom(10_000))[:5_000])
    with pytest.raises(UnusableFile, match="ended before"), opened(tmp_path / "file.gz") as stream:
        stream.read()


def test_a_position_is_of_the_bytes_on_disk(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"a" * 100)
    (tmp_path / "packed").write_bytes(gzip.compress(b"a" * 100_000))
    with opened(tmp_path / "plain") as stream:
        stream.read(40)
        assert position(stream) == 40
    with opened(tmp_path / "packed") as stream:
        stream.read()
        assert position(stream) == (tmp_path / "packed").stat().st_size


def test_a_schema_file_that_is_missing_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(SchemaNotFound, match="the page 'Import history' shows how"):
        read_toml(tmp_path / "a.toml", page="Import history")
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidDefinition, match=r"a\.toml: this is not TOML"):
        read_toml(tmp_path / "a.toml", page="Import history")
