"""Ready folders of definitions, one for each of seven use cases, with made-up history to try."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from opportune.errors import Conflict, InvalidInput, NotFound, nearest
from opportune.project.made_history import made_history, schema_of, to_csv

__all__ = [
    "FolderNotEmpty",
    "FolderUnusable",
    "Template",
    "TemplateNotFound",
    "Written",
    "definition_files",
    "template_files",
    "templates",
    "write_template",
]

# Says what a template is and how its history is made; everything else is copied.
ABOUT = "template.toml"
# What every template begins with.
COMMON = "common"
# What the history was made of: the same folder gets the same history on another day.
MADE = "demo/made.toml"
SEED = 1


class TemplateNotFound(NotFound):
    """There is no template of that name."""

    code = "template_not_found"


class FolderNotEmpty(Conflict):
    """The folder for a template holds something else; nothing was written."""

    code = "folder_not_empty"


class FolderUnusable(InvalidInput):
    """The folder for a template cannot be read or written."""

    code = "folder_unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A ready use case: its name, which is that of its use case as well, and what it is for."""

    name: str
    title: str
    goal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files of a template in a folder: how many there are, and which of them are new."""

    total: int
    new: tuple[str, ...]


def templates() -> tuple[Template, ...]:
    """Return every template, by name.

    >>> [each.name for each in templates()][:3]
    ['cross-sell', 'lead-nurturing', 'loyalty']
    """
    folders = sorted(each.name for each in _shipped().iterdir() if each.joinpath(ABOUT).is_file())
    abouts = ((name, _about(name)) for name in folders)
    return tuple(
        Template(name=name, title=about["title"], goal=about["goal"]) for name, about in abouts
    )


def template_files(name: str, *, seed: int, day: date) -> dict[str, bytes]:
    """Return the files of a template by path; its history ends before ``day``.

    The same arguments give the same bytes. Raises ``TemplateNotFound`` with the nearest name.
    """
    _check(name)
    about = _about(name)
    made = f'template = "{name}"\nseed = {seed}\nday = {day.isoformat()}\n'
    return {
        MADE: f"# What history.csv was made of: no person is behind it.\n{made}".encode(),
        **dict(_copied(_shipped().joinpath(COMMON), "")),
        **dict(_copied(_shipped().joinpath(name), "")),
        "demo/history.toml": schema_of(about).encode(),
        "demo/history.csv": to_csv(made_history(name, about, seed=seed, day=day)),
    }


def definition_files(name: str, folder: str) -> dict[str, str]:
    """Return the TOML files of one folder of a template, by the name of what they define.

    Raises ``TemplateNotFound``.
    """
    _check(name)
    place = _shipped().joinpath(name, folder)
    files = sorted(place.iterdir(), key=lambda each: each.name) if place.is_dir() else []
    return {
        each.name.removesuffix(".toml"): each.read_text(encoding="utf-8")
        for each in files
        if each.name.endswith(".toml")
    }


def write_template(folder: Path, name: str, *, day: date, seed: int | None = None) -> Written:
    """Write a template into a folder that is new or empty; entries with a leading dot do not count.

    Where all of it is there already nothing is written, on whatever day that was done; where it was
    interrupted the rest is. Raises ``TemplateNotFound``, ``FolderUnusable``, or ``FolderNotEmpty``
    with what is in the way; then nothing was written.
    """
    try:
        made = _made(folder, name)
        chosen = made.get("seed", SEED) if seed is None else seed
        files = template_files(name, seed=chosen, day=made.get("day", day))
        missing = _missing(folder, files)
        for path in missing:
            _write(folder / path, files[path])
    except OSError as cause:
        raise FolderUnusable(
            f"{folder} cannot be used: {cause.strerror}. Give a folder that can be written, or one "
            "that is not there yet."
        ) from cause
    return Written(total=len(files), new=tuple(missing))


def _missing(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    there = {path for path in files if (folder / path).exists()}
    changed = [path for path in sorted(there) if (folder / path).read_bytes() != files[path]]
    missing = [path for path in files if path not in there]
    other = sorted(_other(folder, "", files)) if folder.exists() else []
    if changed or (missing and other):
        raise FolderNotEmpty(
            f"{folder} is not empty and holds something else ({', '.join((changed or other)[:3])})."
            " Nothing was written. Give a folder that is new or empty."
        )
    return missing


def _other(folder: Path, place: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """Find what is in a folder and in no template; what begins with a dot is not looked at."""
    for entry in folder.iterdir():
        path = f"{place}{entry.name}"
        if entry.name.startswith(".") or path in files:
            continue
        if entry.is_dir() and any(each.startswith(f"{path}/") for each in files):
            yield from _other(entry, f"{path}/", files)
        else:
            yield path


def _made(folder: Path, name: str) -> Mapping[str, Any]:
    """Return what the history in a folder was made of; nothing where it is not this template's."""
    try:
        found = tomllib.loads((folder / MADE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    is_ours = isinstance(found.get("seed"), int) and isinstance(found.get("day"), date)
    return found if is_ours and found.get("template") == name else {}


def _write(path: Path, body: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(body)
    part.replace(path)


def _check(name: str) -> None:
    names = [each.name for each in templates()]
    if name not in names:
        raise TemplateNotFound(f"No template '{name[:63]}'. {nearest(name, names)}")


def _shipped() -> Traversable:
    return resources.files("opportune.project").joinpath("templates")


def _about(name: str) -> Mapping[str, Any]:
    return tomllib.loads(_shipped().joinpath(name, ABOUT).read_text(encoding="utf-8"))


def _copied(folder: Traversable, place: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        path = f"{place}{entry.name}"
        if entry.is_dir():
            yield from _copied(entry, f"{path}/")
        elif path != ABOUT:
            yield path, entry.read_bytes()
