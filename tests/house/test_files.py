"""What no file of the repository may contain."""

from __future__ import annotations

import re
from pathlib import Path

PERSONAL_FOLDER = re.compile(r"(?<![\w.~$}%-])/(?:home|Users|root|opt|work|mnt|workspaces?)/[\w.]")
PACKAGE_INDEX = re.compile(
    r"pypi[.](?:org|python)|python" r"hosted[.]|find[-]links|extra[-]index|index[-]url\s*[=h]", re.I
)
UNFINISHED = re.compile(
    r"\b(?:TO[D]O|FIX[M]E|NotImplemented[E]rror)\b|\bassert (?:[T]rue|1)\s*(?:$|[#,])"
)


def lines_with(pattern: re.Pattern[str], texts: dict[Path, str], root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}:{number}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_a_folder_of_somebodys_machine(root: Path, texts: dict[Path, str]) -> None:
    assert lines_with(PERSONAL_FOLDER, texts, root) == []


def test_no_file_names_a_package_index(root: Path, texts: dict[Path, str]) -> None:
    assert lines_with(PACKAGE_INDEX, texts, root) == []


def test_nothing_is_left_unfinished(root: Path, texts: dict[Path, str]) -> None:
    code = {
        path: text
        for path, text in texts.items()
        if path.relative_to(root).parts[0] in ("src", "tests")
    }
    assert lines_with(UNFINISHED, code, root) == []
