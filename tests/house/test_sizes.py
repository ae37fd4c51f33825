"""A function fits a screen, a file a sitting, a signature a breath."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from opportune.cli.app import COMMANDS

FILE_LINES = 400
FUNCTION_LINES = 40
PARAMETERS = 6

# Names of the form "room/file.py:function", each with its reason.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {
    "policies/search.py:_descend": "one loop: handing arrays to parts costs more",
}
LONG_SIGNATURES: dict[str, str] = {
    "stats/offpolicy.py:switch_dr": "the columns of a log, and the two numbers of the estimate",
}

# The commands of the table.
TYPED = {"cli/{}.py:{}".format(*at.split(":")) for at in COMMANDS.values()}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.fixture(scope="module")
def functions(source: Path) -> list[tuple[str, Function]]:
    return [
        (f"{path.relative_to(source)}:{function.name}", function)
        for path in sorted(source.rglob("*.py"))
        for function in _functions(path)
    ]


def _functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines(function: Function) -> int:
    """Lines from `def` to the end, the docstring not counted."""
    first = function.body[0]
    text = first.end_lineno - first.lineno + 1 if _is_text(first) and first.end_lineno else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - text


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def parameters(function: Function) -> int:
    named = function.args
    names = [each.arg for each in (*named.posonlyargs, *named.args, *named.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def is_command(name: str, function: Function) -> bool:
    """The parameters of a command are the options of its command line, not a signature."""
    if name in TYPED:
        return True
    called = (each.func for each in function.decorator_list if isinstance(each, ast.Call))
    return any(isinstance(each, ast.Attribute) and each.attr == "command" for each in called)


def test_a_file_fits_a_sitting(source: Path) -> None:
    counts = {
        str(path.relative_to(source)): len(path.read_text().splitlines())
        for path in source.rglob("*.py")
    }
    long = {name: count for name, count in counts.items() if count > FILE_LINES}
    assert sorted(set(long) ^ set(LONG_FILES)) == [], long


def test_a_function_fits_a_screen(functions: list[tuple[str, Function]]) -> None:
    long = {name: count for name, each in functions if (count := lines(each)) > FUNCTION_LINES}
    assert sorted(set(long) ^ set(LONG_FUNCTIONS)) == [], long


def test_a_signature_fits_a_breath(functions: list[tuple[str, Function]]) -> None:
    long = {
        name: count
        for name, each in functions
        if not is_command(name, each) and (count := parameters(each)) > PARAMETERS
    }
    assert sorted(set(long) ^ set(LONG_SIGNATURES)) == [], long


def test_no_public_function_swallows_any_keyword(functions: list[tuple[str, Function]]) -> None:
    swallowing = [
        name for name, each in functions if each.args.kwarg and not each.name.startswith("_")
    ]
    assert swallowing == []
