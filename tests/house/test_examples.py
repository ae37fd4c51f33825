"""Every `>>>` in a docstring or a page runs and answers what it says."""

from __future__ import annotations

import doctest
from pathlib import Path
from types import ModuleType

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def test_the_examples_in_docstrings_hold(modules: list[ModuleType]) -> None:
    failed = {
        module.__name__: result.failed
        for module in modules
        if (result := doctest.testmod(module, optionflags=OPTIONS)).failed
    }
    assert failed == {}


def test_the_examples_in_pages_hold(root: Path) -> None:
    pages = [root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").rglob("*.md")]
    failed = {
        str(page.relative_to(root)): result.failed
        for page in pages
        if (
            result := doctest.testfile(
                str(page), module_relative=False, optionflags=OPTIONS, encoding="utf-8"
            )
        ).failed
    }
    assert failed == {}
