"""Load a folder, apply it as new versions, and read what is applied."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from opportune.decisions import StateChange, note_state, states
from opportune.documents import InvalidDefinition
from opportune.events import FieldClasses, Metric, declared_classes, parse_metrics, personal_fields
from opportune.project.check import build
from opportune.project.folder import read_folder
from opportune.project.model import HOLDOUT, KINDS, SAID, Body, Definitions, Project
from opportune.storage import Connection, State, fetch, load_sql

__all__ = ["NEWEST", "Reader", "applied", "apply", "load", "read", "write"]

NEWEST = "newest_definitions"


def load(folder: Path) -> Project:
    """Read and check a project folder.

    Raises ``ProjectNotFound`` for a folder without definitions and ``InvalidDefinition`` with a
    line for every mistake: file, key, what was given, what is allowed.
    """
    problems: list[str] = []
    return build(read_folder(folder, problems), problems, personal=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """When definitions are written and by whom; "" where nobody is known."""

    now: datetime
    by: str = ""


def apply(state: State, folder: Path, *, now: datetime, by: str = "") -> list[str]:
    """Check ``folder`` and write what differs from its newest version as the next one, by ``by``.

    Returns "kind/name version n" for each that was written; applying the same folder again writes
    nothing. Either everything is written or nothing: also when a definition that was applied before
    and is not in this folder would not fit any more. A use case whose success metric counts
    something else from now on gets a new version, because what was learned does not fit it; another
    holdout gives one to all of them, because who is compared is not who was.
    """
    problems: list[str] = []
    given = read_folder(folder, problems)
    build(given, problems, personal=personal_fields(state))
    written, writing = [], Writing(now=now, by=by)
    with state.transaction() as connection:
        fetch(connection, load_sql("opportune", "lock_definitions"))
        before = applied(fetch(connection, load_sql("opportune", NEWEST)))
        renewed = _with_another_reward(before, given)
        if before.said.get(HOLDOUT, {}) != given.said.get(HOLDOUT, {}):
            # Who is compared is not who was.
            renewed = {name: body for name, body in before.bodies["use_case"].items() if body}
        use_cases = {**renewed, **given.bodies["use_case"]}
        settings = _settings(given, before)
        every = {**given.bodies, "use_case": use_cases, "settings": settings}
        for kind, definitions in every.items():
            readable = {name: body for name, body in definitions.items() if body is not None}
            for name, body in readable.items():
                renew = kind == "use_case" and name in renewed
                written += write(connection, kind, name, body, renew=renew, writing=writing)
        _check_with_the_rest(applied(fetch(connection, load_sql("opportune", NEWEST))), folder)
    return written


def read(state: State) -> Project:
    """Return the newest version of everything that was applied."""
    found = build(applied(state.rows(load_sql("opportune", NEWEST))), [])
    return _with_states(found, states(state))


def write(
    connection: Connection,
    kind: str,
    name: str,
    body: Body,
    *,
    renew: bool = False,
    writing: Writing,
) -> list[str]:
    """Write one definition, and what its use case may do, as far as they are new; say which are.

    Within a transaction that holds the lock of definitions; nothing is checked here. The state of
    a use case is no part of its versions.
    """
    said = body.get("state") if kind == "use_case" else None
    kept = {key: value for key, value in body.items() if said is None or key != "state"}
    now = writing.now
    facts = {"kind": kind, "name": name, "body": json.dumps(kept), "renew": renew}
    facts |= {"now": now, "by": writing.by}
    rows = fetch(connection, load_sql("opportune", "apply_definition"), facts)
    written = [f"{kind}/{name} version {row['version']}" for row in rows]
    if said is not None and note_state(connection, name, str(said), by=None, now=now):
        written.append(f"{kind}/{name} is {said}")
    return written


def _with_states(found: Project, told: Mapping[str, StateChange]) -> Project:
    use_cases = {
        name: replace(each, state=told[name].state if name in told else "live")
        for name, each in found.use_cases.items()
    }
    return replace(found, use_cases=MappingProxyType(use_cases))


def _with_another_reward(before: Definitions, given: Definitions) -> dict[str, Body]:
    """Return the applied use cases whose metric of the same name counts something else now."""
    known = parse_metrics(before.bodies["metric"], [])
    # A calculated one may be made of what is applied and not given again.
    renewed = parse_metrics({**before.bodies["metric"], **given.bodies["metric"]}, [])
    changed = {
        name
        for name, metric in known.items()
        if before.bodies["metric"][name] is not None and _counted(metric) != _counted(renewed[name])
    }
    return {
        name: body
        for name, body in before.bodies["use_case"].items()
        if body is not None and body.get("success_metric") in changed
    }


def _counted(metric: Metric | None) -> tuple[object, ...]:
    return metric.counted if metric else ()


class Reader:
    """Reads what is applied again and again, and builds it anew only when a version changed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._versions: tuple[object, ...] | None = None
        self._built = Project(metrics={}, segments={}, use_cases={})
        self._told: Mapping[str, StateChange] = {}
        self._project = Project(metrics={}, segments={}, use_cases={})

    def read(self) -> Project:
        """Return what `read` would: the same object until something is another."""
        rows = self._state.rows(load_sql("opportune", NEWEST))
        versions = tuple((row["kind"], row["name"], row["version"]) for row in rows)
        told = states(self._state)
        if versions != self._versions:
            self._built = build(applied(rows), [])
        if versions != self._versions or told != self._told:
            self._project = _with_states(self._built, told)
            self._versions, self._told = versions, told
        return self._project


def _check_with_the_rest(everything: Definitions, folder: Path) -> None:
    try:
        build(everything, [], personal=frozenset())
    except InvalidDefinition as error:
        raise InvalidDefinition(
            [
                f"{problem} It was applied before and is not in {folder}: put it there, repaired."
                for problem in error.problems
            ]
        ) from error


def applied(rows: Iterable[Mapping[str, Any]]) -> Definitions:
    """Return what rows of definitions say, each in the version it has there."""
    bodies: dict[str, dict[str, Body | None]] = {kind: {} for kind in KINDS.values()}
    versions: dict[str, int] = {}
    settings: dict[str, Body] = {}
    for row in rows:
        if row["kind"] == "settings":
            settings[row["name"]] = row["body"]
            continue
        bodies[row["kind"]][row["name"]] = row["body"]
        if row["kind"] == "use_case":
            versions[row["name"]] = row["version"]
    said = {name: settings.pop(name) for name in SAID if name in settings}
    classes = FieldClasses(**{name: declared_classes(body) for name, body in settings.items()})
    return Definitions(bodies=bodies, classes=classes, versions=versions, said=said)


def _settings(given: Definitions, before: Definitions) -> dict[str, Body]:
    """Write what holds for everything as definitions; most of it only where it is, or was, said."""
    traits = given.classes.lists("trait")
    settings: dict[str, Body] = {"traits": {"personal": [], **traits}}
    if given.classes.properties or before.classes.properties:
        settings["properties"] = given.classes.lists("property")
    for name in SAID:
        if name in given.said or name in before.said:
            settings[name] = given.said.get(name, {})
    return settings
