"""Errors are an interface: six families, stable codes, a page that lists them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from opportune.errors import OpportuneError


@pytest.fixture
def classes(generate: ModuleType, modules: list[ModuleType]) -> list[type[OpportuneError]]:
    assert len(modules) > 1
    return list(dict.fromkeys(generate.error_classes()))


def test_every_error_has_a_code_of_its_own(classes: list[type[OpportuneError]]) -> None:
    assert [each.__qualname__ for each in classes if "code" not in vars(each)] == []
    codes = Counter(each.code for each in classes)
    assert {code: count for code, count in codes.items() if count > 1} == {}
    assert [code for code in codes if not re.fullmatch(r"[a-z][a-z0-9_]*", code)] == []


def test_every_error_but_a_defect_belongs_to_one_of_the_six_families(
    generate: ModuleType, classes: list[type[OpportuneError]]
) -> None:
    """A defect of ours is in none: the caller can do nothing about it."""
    children = {each.__name__ for each in classes if OpportuneError in each.__bases__}
    assert children == {*generate.FAMILIES, "QueryFailed"}


def test_every_error_says_what_it_means(classes: list[type[OpportuneError]]) -> None:
    assert [each.__qualname__ for each in classes if not vars(each).get("__doc__")] == []


def test_every_error_is_in_the_reference(root: Path, classes: list[type[OpportuneError]]) -> None:
    page = (root / "docs" / "reference" / "errors.md").read_text()
    codes = [each.code for each in classes if each is not OpportuneError]
    assert [code for code in codes if f"| `{code}` |" not in page] == []
