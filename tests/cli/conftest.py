"""Commands typed in this process: their exit code, what they print, and what they complain of."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opportune import cli
from opportune.settings import PREFIX, Settings, as_variables

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Run]:
    """Type a command that needs no database; its data would be in ``data`` below tmp_path."""
    for name in [each for each in os.environ if each.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPPORTUNE_DATA_FOLDER", str(tmp_path / "data"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def typed(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["opportune", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    yield typed
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def run(command: Run, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Run:
    """Type a command that finds a fresh data folder and database."""
    for name, value in as_variables(settings).items():
        monkeypatch.setenv(name, value)
    return command
