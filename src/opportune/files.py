"""Read files that people give: which kind each is, what is in it, and what to say when it is not.

A file's kind is told from its first bytes and not from its name; gzip is opened on the way.
"""

from __future__ import annotations

import gzip
import hashlib
import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, cast

from opportune.documents import InvalidDefinition
from opportune.errors import InvalidInput, NotFound

__all__ = [
    "FileNotFound",
    "Kind",
    "SchemaNotFound",
    "UnusableFile",
    "digest",
    "kind_of",
    "opened",
    "position",
    "read_toml",
]

Kind = Literal["csv", "json_lines", "parquet"]

PARQUET = b"PAR1"
GZIP = b"\x1f\x8b"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
BOM = b"\xef\xbb\xbf"
HEAD_BYTES = 4096
BLOCK_BYTES = 1 << 20


class FileNotFound(NotFound):
    """There is no file of that name."""

    code = "file_not_found"


class SchemaNotFound(NotFound):
    """There is no schema file of that name."""

    code = "schema_not_found"


class UnusableFile(InvalidInput):
    """A file is not what it should be; ``problems`` has a line for each mistake."""

    code = "unusable_file"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open ``path`` for reading bytes, decompressed when it is gzip.

    Raises ``FileNotFound`` for what is no file, and ``UnusableFile`` for one that cannot be read,
    now or while it is open.
    """
    with _plain(path) as plain:
        packed = plain.read(len(GZIP)) == GZIP
        plain.seek(0)
        yield cast("IO[bytes]", gzip.GzipFile(fileobj=plain)) if packed else plain


@contextmanager
def _plain(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as stream:
            yield stream
    except FileNotFoundError as cause:
        raise FileNotFound(f"There is no file {path}.") from cause
    except IsADirectoryError as cause:
        raise FileNotFound(f"{path} is a folder, not a file.") from cause
    except (OSError, EOFError, zlib.error) as cause:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
        raise UnusableFile([f"{path.name}: it cannot be read: {reason}."]) from cause


def position(stream: IO[bytes]) -> int:
    """How far an `opened` file is read; of a compressed one in its own bytes."""
    found: int = getattr(stream, "fileobj", stream).tell()
    return found


def kind_of(path: Path) -> Kind:
    """Say what is in ``path``. Raises what `opened` raises, or ``UnusableFile`` for no known kind.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "orders.txt"
    ...     _ = file.write_text("customer,amount\\n")
    ...     kind_of(file)
    'csv'
    """
    with opened(path) as stream:
        head = stream.read(HEAD_BYTES)
        packed = isinstance(stream, gzip.GzipFile)
    text = head.removeprefix(BOM).lstrip()
    if not text:
        raise UnusableFile([f"{path.name}: the file is empty."])
    if head.startswith(UTF16):
        raise UnusableFile([f"{path.name}: the file is UTF-16. Save it as UTF-8."])
    if head.startswith(PARQUET):
        if packed:
            raise UnusableFile([f"{path.name}: Parquet inside gzip. Unpack it first."])
        return "parquet"
    if text.startswith(b"["):
        raise UnusableFile(
            [f"{path.name}: this is one JSON list. Write each of its items on a line of its own."]
        )
    return "json_lines" if text.startswith(b"{") else "csv"


def digest(path: Path) -> str:
    """Return 32 hex digits that differ when the bytes of ``path`` do. Raises as `opened`."""
    found = hashlib.blake2b(digest_size=16)
    with _plain(path) as stream:
        while block := stream.read(BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()


def read_toml(path: Path, *, page: str) -> Mapping[str, object]:
    """Read the schema file ``path``; ``page`` of the docs shows how to write one.

    Raises ``SchemaNotFound``, or ``InvalidDefinition`` when it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as cause:
        raise SchemaNotFound(
            f"There is no schema file {path}. Write one that says what the columns mean; the page "
            f"'{page}' shows how."
        ) from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise InvalidDefinition([f"{path.name}: this is not TOML: {cause}."]) from cause
