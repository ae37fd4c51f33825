"""Pages that name what exists, and generated pages that are fresh."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

from opportune.settings import PREFIX, Settings

ENDINGS = ("py", "md", "toml", "sql", "in", "lock", "html", "css", "txt", "json")
PATH = re.compile(rf"(?:[\w.*-]+/)+[\w.*-]*|[\w.*-]+\.(?:{'|'.join(ENDINGS)})")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def pages(root: Path) -> list[Path]:
    return sorted(root.glob("*.md")) + sorted((root / "docs").rglob("*.md"))


def unfenced(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def missing_paths(page: Path, root: Path) -> list[str]:
    quoted = re.findall(r"`([^`\n]+)`", unfenced(page))
    bases = (root, root / "src" / "opportune")
    paths = [text for text in quoted if PATH.fullmatch(text)]
    return [path for path in paths if not any(list(base.glob(path)) for base in bases)]


def test_every_path_the_architecture_names_exists(root: Path) -> None:
    assert missing_paths(root / "docs" / "architecture.md", root) == []


def test_every_path_the_guide_for_contributors_names_exists(root: Path) -> None:
    assert missing_paths(root / "CONTRIBUTING.md", root) == []


def test_the_architecture_names_every_room(root: Path, source: Path) -> None:
    page = (root / "docs" / "architecture.md").read_text()
    rooms = [path.parent for path in source.glob("*/__init__.py")]
    rooms += [path for path in source.glob("*.py") if not path.name.startswith("__")]
    names = [path.name if path.suffix else f"{path.name}/" for path in rooms]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_the_architecture_draws_the_layers_that_are_enforced(root: Path) -> None:
    page = (root / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| \d+ \| (.*) \|$", page, flags=re.MULTILINE)
    drawn = [[re.sub(r"/|\.py|`", "", room) for room in row.split(" · ")] for row in rows]
    house = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(each["layers"] for each in house["contracts"] if "layers" in each)
    assert drawn == [layer.split(" | ") for layer in layers]


def test_every_relative_link_leads_somewhere(root: Path) -> None:
    broken = [
        f"{page.relative_to(root)}: {target}"
        for page in pages(root)
        for target in LINK.findall(unfenced(page))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_setting_is_in_the_reference(root: Path) -> None:
    page = (root / "docs" / "reference" / "settings.md").read_text()
    names = [PREFIX + field.name.upper() for field in fields(Settings)]
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_the_generated_pages_are_fresh(root: Path) -> None:
    pages_to_check = sorted((root / "docs" / "reference").glob("*.md"))
    command = [sys.executable, "-m", "cogapp", "--check", "-I", str(root / "docs")]
    answer = subprocess.run(
        [*command, *map(str, pages_to_check)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, f"run `make docs`\n{answer.stdout}{answer.stderr}"


def test_the_decisions_are_numbered_without_a_gap(root: Path) -> None:
    names = sorted(path.name for path in (root / "docs" / "decisions").glob("*.md"))
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]


def test_every_make_target_a_page_names_exists(root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        target
        for page in [*pages(root), root / ".ci" / "run"]
        for target in re.findall(r"(?:^|`|\$ )make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert sorted(named - targets) == []
