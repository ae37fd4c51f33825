"""What each room shows to the others."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType


def public(modules: list[ModuleType]) -> Iterator[tuple[str, object]]:
    for module in modules:
        for name in getattr(module, "__all__", []):
            yield f"{module.__name__}.{name}", getattr(module, name, None)


def documented(thing: object) -> bool:
    """A dataclass without a docstring gets its signature as one: that does not count."""
    text = thing.__doc__ or ""
    return bool(text) and not text.startswith(f"{getattr(thing, '__name__', '')}(")


def test_every_room_says_what_it_is_and_lists_its_public_names(rooms: list[ModuleType]) -> None:
    assert [room.__name__ for room in rooms if not room.__doc__] == []
    assert [room.__name__ for room in rooms if not hasattr(room, "__all__")] == []


def test_every_listed_name_exists_once(modules: list[ModuleType]) -> None:
    assert [name for name, thing in public(modules) if thing is None] == []
    listed = {module.__name__: list(getattr(module, "__all__", [])) for module in modules}
    assert [name for name, names in listed.items() if len(names) != len(set(names))] == []


def test_every_public_class_and_function_says_what_it_is_for(modules: list[ModuleType]) -> None:
    silent = [
        name
        for name, thing in public(modules)
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and not documented(thing)
    ]
    assert silent == []


def test_what_a_room_defines_in_public_is_listed(rooms: list[ModuleType]) -> None:
    unlisted = [
        f"{room.__name__}.{name}"
        for room in rooms
        for name, thing in vars(room).items()
        if getattr(thing, "__module__", None) == room.__name__
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and not name.startswith("_")
        and name not in getattr(room, "__all__", [])
    ]
    assert unlisted == []
