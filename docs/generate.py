"""Writes the reference pages from the code they describe; cog calls it from docs/reference/*.md."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import tempfile
import typing
from collections.abc import Iterator
from dataclasses import MISSING, fields
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import typer
from starlette.routing import Mount

import opportune
from opportune.errors import OpportuneError
from opportune.settings import PREFIX, Settings
from opportune.storage import attach

MEANINGS = {
    "/people/embed/{link}": "One person, read-only, for a frame in another tool.",
    "/favicon.ico": "Icon of the pages.",
    "/healthz": "Alive: this process answers.",
    "/readyz": "Ready: database and lake can be read; 503 otherwise.",
    "/metrics": "Figures for Prometheus.",
}
FAMILIES = ("InvalidInput", "NotFound", "Conflict", "Forbidden", "Unsupported", "Unavailable")


def settings() -> str:
    """One table row a setting: variable, type, default, meaning."""
    meanings = _parameters(inspect.getdoc(Settings) or "")
    rows = [
        (
            f"`{PREFIX}{field.name.upper()}`",
            str(getattr(field.type, "__name__", field.type)),
            "required" if field.default is MISSING else _default(str(field.default)),
            meanings[field.name],
        )
        for field in fields(Settings)
    ]
    return _table(("variable", "type", "default", "meaning"), rows)


def errors() -> str:
    """One section a family, one table row an error."""
    modules()
    families = [_family(name) for name in FAMILIES]
    return "\n".join([*families, _defects()] if defect_classes() else families)


def commands() -> str:
    """One section a command: what it does, its arguments and options."""
    root = typer.main.get_command(importlib.import_module("opportune.cli").app)
    return "\n".join(_command(path, command) for path, command in _commands("opportune", root))


def command_paths() -> list[str]:
    """Every command as it is typed."""
    root = typer.main.get_command(importlib.import_module("opportune.cli").app)
    return [path for path, _ in _commands("opportune", root)]


def endpoints() -> str:
    """One table row an address that the server answers."""
    rows = [(f"`{method} {path}`", meaning) for method, path, meaning in served()]
    return _table(("address", "what it is for"), rows)


def served() -> list[tuple[str, str, str]]:
    """Method, path and meaning of everything that `opportune serve` answers."""
    collector = importlib.import_module("opportune.api.collector")
    found = [("POST", path, "Take events in, Segment's protocol.") for path in collector.KINDS]
    found += [
        ("POST", collector.CURRENTS, "Take engagement in, Braze's Currents."),
        ("POST", collector.CLIENT_METRICS, "Answer Segment's browser library, and keep nothing."),
        ("GET", collector.BROWSER_SETTINGS, "Tell Segment's browser library to send here."),
    ]
    api = importlib.import_module("opportune.api")
    web = importlib.import_module("opportune.web")
    with tempfile.TemporaryDirectory() as folder:
        stores = attach(Settings(data_folder=Path(folder), database_url="postgresql:///nowhere"))
        for route in (*api.routes(stores), *web.routes(stores)):
            found += _route(route)
    # A route that goes past the application is described there.
    told = {each[:2]: each for each in found if each[2].startswith("Page: ")}
    told |= {each[:2]: each for each in found if not each[2].startswith("Page: ")}
    return sorted(told.values(), key=lambda each: (each[1], each[0]))


def metrics() -> str:
    """One table row a figure of ``/metrics``."""
    operations = importlib.import_module("opportune.api.operations")
    rows = [(f"`{name}`", meaning) for name, meaning in operations.METRICS.items()]
    return _table(("metric", "meaning"), rows)


def functions() -> str:
    """One table row a function of formulas."""
    rules = importlib.import_module("opportune.rules")
    rows = [
        (f"`{each.usage}`", each.meaning, "all rows" if each.is_over_rows else "each row")
        for each in rules.FUNCTIONS.values()
    ]
    return _table(("function", "meaning", "looks at"), rows)


def tables() -> str:
    """One section a table of the lake, one row a column."""
    owners = (
        ("opportune.events", ("EVENTS", "REJECTS")),
        ("opportune.decisions", ("FEATURES", "DECISIONS", "ASKED_FEATURES")),
        ("opportune.learning", ("REWARDS",)),
        ("opportune.reports", ("PROFILE_TOTALS",)),
    )
    sections = []
    for room, names in owners:
        for name in names:
            schema = getattr(importlib.import_module(room), name)
            rows = [
                (f"`{field.name}`", f"`{field.type}`", "yes" if field.nullable else "")
                for field in schema
            ]
            head = f"## {name.lower()}\n\nWritten by `{room}`.\n"
            sections.append(f"{head}\n{_table(('column', 'type', 'may be null'), rows)}")
    return "\n".join(sections)


def policies() -> str:
    """One section a policy of ours: what it is, and one table row a setting."""
    points = sorted(entry_points(group="opportune.policies"), key=lambda point: point.name)
    ours = {point.name: point.load() for point in points if point.value.startswith("opportune.")}
    return "\n".join(_policy(name, policy) for name, policy in ours.items())


def settings_of_policy(policy: type) -> type[msgspec.Struct]:
    """What the policy reads its settings as."""
    found: type[msgspec.Struct] = vars(importlib.import_module(policy.__module__))["_Settings"]
    return found


def rooms() -> str:
    """One section a room, in alphabetical order, with its public names."""
    return "\n".join(_room(module) for module in map(importlib.import_module, room_names()))


def room_names() -> list[str]:
    """Full names of the rooms that exist, in alphabetical order."""
    found = pkgutil.iter_modules(opportune.__path__, prefix="opportune.")
    return sorted(module.name for module in found if not module.name.endswith(".__main__"))


def modules() -> list[ModuleType]:
    """Every module of the package, imported."""
    found = pkgutil.walk_packages(opportune.__path__, prefix="opportune.")
    names = sorted(module.name for module in found if not module.name.endswith("__main__"))
    return [opportune, *map(importlib.import_module, names)]


def error_classes(root: type[OpportuneError] = OpportuneError) -> Iterator[type[OpportuneError]]:
    """Every error class below ``root``, ``root`` first; call ``modules()`` before."""
    yield root
    for child in sorted(root.__subclasses__(), key=lambda each: each.code):
        if child.__module__.partition(".")[0] == "opportune":
            yield from error_classes(child)


def defect_classes() -> list[type[OpportuneError]]:
    """Error classes outside the families: the caller can do nothing about them."""
    children = {child for child in error_classes() if OpportuneError in child.__bases__}
    return sorted(
        (child for child in children if child.__name__ not in FAMILIES), key=lambda each: each.code
    )


def summary(thing: object) -> str:
    """First paragraph of a docstring on one line, in Markdown."""
    paragraph = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    return " ".join(paragraph.replace("``", "`").split())


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    within = typer.Context(command)
    for name in command.list_commands(within):
        yield from _commands(f"{path} {name}", command.get_command(within, name))


def _command(path: str, command: Any) -> str:
    rows = [
        (
            ", ".join(f"`{name}`" for name in (*given.opts, *given.secondary_opts))
            if given.param_type_name == "option"
            else given.name.upper(),
            (getattr(given, "help", "") or "").rstrip("."),
            "required" if given.required else _shown(given.default),
        )
        for given in command.params
    ]
    help_text = " ".join((command.help or "").split())
    return f"## {path}\n\n{help_text}\n\n{_table(('', 'what it is', 'default'), rows)}"


def _shown(default: object) -> str:
    if default is None or default == "" or callable(default):
        return ""
    return f"`{getattr(default, 'value', default)}`"


def _route(route: Any) -> list[tuple[str, str, str]]:
    if isinstance(route, Mount):
        if not hasattr(route.app, "openapi"):
            return [("GET", f"{route.path}/{{file}}", "Style sheet and icon of the pages.")]
        described = route.app.openapi()["paths"]
        found = [
            (method.upper(), route.path + path, about["description"].split("\n")[0])
            for path, methods in described.items()
            for method, about in methods.items()
        ]
        return [*found, ("GET", f"{route.path}/openapi.json", "This interface, as OpenAPI.")]
    method = "POST" if "POST" in (route.methods or ()) else "GET"
    return [(method, route.path, MEANINGS.get(route.path) or f"Page: {_told(route.endpoint)}")]


def _told(view: object) -> str:
    told = summary(view).partition(" Raises ")[0].removesuffix(".")
    return f"{told[:1].lower()}{told[1:]}."


def _default(text: str) -> str:
    return f"`{text}`" if text else "empty"


def _family(name: str) -> str:
    family = getattr(importlib.import_module("opportune.errors"), name)
    table = _error_table(list(dict.fromkeys(error_classes(family))))
    return f"## {name}\n\n{summary(family)}\n\n{table}"


def _defects() -> str:
    sentence = "The program itself is wrong. Please report it with the message."
    return f"## Defects\n\n{sentence}\n\n{_error_table(defect_classes())}"


def _error_table(classes: list[type[OpportuneError]]) -> str:
    rows = [
        (f"`{error.code}`", f"`{error.__module__}.{error.__qualname__}`", summary(error))
        for error in classes
    ]
    return _table(("code", "class", "meaning"), rows)


def _room(module: ModuleType) -> str:
    names = [(f"`{name}`", _meaning(getattr(module, name))) for name in _public(module)]
    title = f"## {module.__name__.removeprefix('opportune.')}\n\n{summary(module)}\n"
    return f"{title}\n{_table(('name', 'what it is for'), names)}" if names else title


def _public(module: ModuleType) -> list[str]:
    return sorted(getattr(module, "__all__", []))


def _meaning(thing: object) -> str:
    if inspect.ismodule(thing) or inspect.isclass(thing) or inspect.isroutine(thing):
        return summary(thing)
    return "a type" if typing.get_origin(thing) else f"a constant ({type(thing).__name__})"


def _policy(name: str, policy: type) -> str:
    prose = (inspect.getdoc(policy) or "").partition(">>>")[0].strip().replace("``", "`")
    settings_of = settings_of_policy(policy)
    meanings = _parameters(inspect.getdoc(settings_of) or "")
    rows = [
        (f"`{field.name}`", f"`{_plain_default(field.default)}`", meanings.get(field.name, ""))
        for field in msgspec.structs.fields(settings_of)
    ]
    table = _table(("setting", "default", "meaning"), rows) if rows else "It has no settings.\n"
    return f"## {name}\n\n{prose}\n\n{table}"


def _plain_default(default: object) -> str:
    """A default as it is written in TOML."""
    return json.dumps(default, default=list)


def _parameters(docstring: str) -> dict[str, str]:
    """Names and meanings under "Parameters" of a numpydoc docstring; "host, port:" names two."""
    found: dict[str, str] = {}
    body = docstring.partition("----------\n")[2]
    for names, meaning in re.findall(r"^([\w, ]+):\n((?:    .*\n?)+)", body, flags=re.MULTILINE):
        for name in names.split(","):
            found[name.strip()] = " ".join(meaning.replace("``", "`").split())
    return found


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    cells = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in cells)
