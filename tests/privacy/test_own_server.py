"""On the embedded server no byte below the data folder holds who was forgotten."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opportune.storage import embedded

NEEDLES = (b"ana-maria-0815", b"ana.maria@mail.example", b"301234567890")
PAGES = 40


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    # Up from the first command to the last: each would start and stop it.
    server = embedded.start(tmp_path / "data" / "database" / "pg")

    def called(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "opportune", *arguments],
            env={
                "OPPORTUNE_DATA_FOLDER": str(tmp_path / "data"),
                "PATH": "/usr/bin:/bin",
                "USER": "Ben",
            },
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        )

    yield called
    server.stop()


def holding(folder: Path) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
        for data in [path.read_bytes().lower()]
        if any(each in data for each in NEEDLES)
    ]


@pytest.mark.slow
def test_forget_leaves_no_byte_and_says_what_it_searched(run: Any, tmp_path: Path) -> None:
    lines = [
        {
            "type": "identify",
            "messageId": "i",
            "userId": "Ana-Maria-0815",
            "timestamp": "2026-01-05T10:00:00Z",
            "traits": {"email": "Ana.Maria@mail.example", "phone": "+301234567890"},
        },
        *[
            {
                "type": "track",
                "messageId": f"t{place}",
                "userId": "Ana-Maria-0815" if place % 2 else "ben",
                "event": "Seen",
                "timestamp": "2026-01-06T10:00:00Z",
                "properties": {"page": place},
            }
            for place in range(PAGES)
        ],
    ]
    file = tmp_path / "history.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("import", str(file), "--source", "shop", "--wait")
    data = tmp_path / "data"
    assert any("database" in place for place in holding(data))
    assert any("log/" in place for place in holding(data))
    exported = tmp_path / "ana.json"
    run("export-person", "email", "ana.maria@mail.example", "--to", str(exported))
    assert len(json.loads(exported.read_text())["events"]) == PAGES // 2 + 1
    assert exported.stat().st_mode & 0o777 == 0o600
    answer = run("forget", "user_id", "Ana-Maria-0815", "--json")
    done = json.loads(answer.stdout)[0]
    assert (done["state"], done["asked_by"], done["mode"]) == ("done", "Ben", "erase")
    assert done["proof"]["database_files"]["hits"] == 0
    assert done["proof"]["database_files"]["files"] > 100
    assert done["proof"]["lake"]["rows"] > 0
    assert holding(data) == []
    assert "Ana-Maria" not in answer.stdout + answer.stderr
    shown = run("privacy", "show", done["request_id"]).stdout
    assert "searched lake" in shown
    assert "0 hits" in shown
    assert done["request_id"] in run("privacy", "list").stdout
    assert run("privacy", "again").stdout == "Nobody had come back.\n"
    gone = run("export-person", "user_id", "Ana-Maria-0815", "--to", "-", check=False)
    assert (gone.returncode, gone.stderr.split(":")[0]) == (3, "unknown_person")
    # Ben is still there, and the import is not repeated.
    assert (
        len(json.loads(run("export-person", "user_id", "ben", "--to", "-").stdout)["events"]) == 20
    )
