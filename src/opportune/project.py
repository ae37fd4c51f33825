"""A project: the definitions that belong together, from a folder of TOML or from State.

``load`` reads a folder and lists *all* mistakes; ``apply`` writes what changed as new versions;
``read`` returns the newest version of everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from opportune import plugins
from opportune.activation.connectors import connector
from opportune.decisions import UseCase, forbidden_uses, read_use_case
from opportune.documents import Document, InvalidDefinition, read_toml
from opportune.errors import InvalidInput, NotFound, OpportuneError, nearest
from opportune.events import (
    Field,
    FieldClasses,
    FieldPolicies,
    Metric,
    TrackingPlan,
    declared_classes,
    parse_field_policies,
    parse_metric,
    parse_plan,
    personal_fields,
    read_classes,
)
from opportune.learning.train import PolicyKind, reward_kind
from opportune.profiles import ConsentRules, parse_consent, parse_identity_rules
from opportune.segments import Audience, Segment, parse_audiences, parse_segments
from opportune.storage import State, fetch, load_sql

__all__ = ["Project", "ProjectNotFound", "Reader", "apply", "load", "read"]

# Folder of the project -> kind of the definition.
KINDS = {
    **{"metrics": "metric", "segments": "segment", "audiences": "audience"},
    **{"tracking_plans": "tracking_plan", "use_cases": "use_case"},
}
# It is part of ids, keys and addresses.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
NEWEST = "newest_definitions"
IDENTITY = "identity"
CONSENT = "consent"
PRIVACY = "privacy"
# What holds for everything: each has rules of its own, and is kept where it was ever said.
SAID = (IDENTITY, PRIVACY, CONSENT)

Body = Mapping[str, object]
T = TypeVar("T")


class ProjectNotFound(NotFound):
    """The folder of a project, or a name in it, is not there."""

    code = "project_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything that is defined, checked against each other."""

    metrics: Mapping[str, Metric]
    segments: Mapping[str, Segment]
    use_cases: Mapping[str, UseCase]
    tracking_plans: Mapping[str, TrackingPlan] = field(default_factory=dict)
    classes: FieldClasses = field(default_factory=FieldClasses)
    consent: ConsentRules | None = None
    field_policies: FieldPolicies = field(default_factory=FieldPolicies)
    audiences: Mapping[str, Audience] = field(default_factory=dict)

    def use_case(self, name: str) -> UseCase:
        """Return one use case, or raise ``ProjectNotFound`` with the nearest name."""
        if name not in self.use_cases:
            raise ProjectNotFound(f"No use case '{name}'. {nearest(name, self.use_cases)}")
        return self.use_cases[name]

    def metric_of(self, use_case: UseCase) -> Metric:
        """Return the success metric of a use case."""
        return self.metrics[use_case.success_metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Definitions:
    """As written: kind -> name -> body, None for one that is there but cannot be read.

    ``classes`` has the declared class of each property and trait, ``said`` what holds for
    everything by name ("identity", "privacy", "consent"), where anything was ever said of it.
    """

    bodies: Mapping[str, Mapping[str, Body | None]]
    classes: FieldClasses
    versions: Mapping[str, int]
    said: Mapping[str, Body]


def load(folder: Path) -> Project:
    """Read and check a project folder.

    Raises ``ProjectNotFound`` for a folder without definitions and ``InvalidDefinition`` with a
    line for every mistake: file, key, what was given, what is allowed.
    """
    problems: list[str] = []
    return _build(_read_folder(folder, problems), problems, personal=frozenset())


def apply(state: State, folder: Path, *, now: datetime) -> list[str]:
    """Check ``folder`` and write what differs from its newest version as the next one.

    Returns "kind/name version n" for each that was written; applying the same folder again writes
    nothing. Either everything is written or nothing: also when a definition that was applied before
    and is not in this folder would not fit any more. A use case whose success metric counts
    something else from now on gets a new version, because what was learned does not fit it.
    """
    problems: list[str] = []
    given = _read_folder(folder, problems)
    project = _build(given, problems, personal=personal_fields(state))
    written = []
    with state.transaction() as connection:
        fetch(connection, load_sql("opportune", "lock_definitions"))
        before = _applied(fetch(connection, load_sql("opportune", NEWEST)))
        renewed = _with_another_reward(before, project)
        use_cases = {**renewed, **given.bodies["use_case"]}
        settings = _settings(given, before)
        every = {**given.bodies, "use_case": use_cases, "settings": settings}
        for kind, definitions in every.items():
            for name, body in definitions.items():
                facts = {
                    "kind": kind,
                    "name": name,
                    "body": json.dumps(body),
                    "renew": kind == "use_case" and name in renewed,
                    "now": now,
                }
                for row in fetch(connection, load_sql("opportune", "apply_definition"), facts):
                    written.append(f"{kind}/{name} version {row['version']}")
        _check_with_the_rest(_applied(fetch(connection, load_sql("opportune", NEWEST))), folder)
    return written


def read(state: State) -> Project:
    """Return the newest version of everything that was applied."""
    return _build(_applied(state.rows(load_sql("opportune", NEWEST))), [])


def _with_another_reward(before: _Definitions, project: Project) -> dict[str, Body]:
    """Return the applied use cases whose metric of the same name counts something else now."""
    changed = {
        name
        for name, metric in project.metrics.items()
        if (body := before.bodies["metric"].get(name)) is not None
        and _counted(parse_metric(name, body, [])) != _counted(metric)
    }
    return {
        name: body
        for name, body in before.bodies["use_case"].items()
        if body is not None and body.get("success_metric") in changed
    }


def _counted(metric: Metric | None) -> tuple[object, ...]:
    return (metric.event, metric.property, metric.window_days) if metric else ()


class Reader:
    """Reads what is applied again and again, and builds it anew only when a version changed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._versions: tuple[object, ...] | None = None
        self._project = Project(metrics={}, segments={}, use_cases={})

    def read(self) -> Project:
        """Return what `read` would: the same object until something was applied."""
        rows = self._state.rows(load_sql("opportune", NEWEST))
        versions = tuple((row["kind"], row["name"], row["version"]) for row in rows)
        if versions != self._versions:
            self._project = _build(_applied(rows), [])
            self._versions = versions
        return self._project


def _check_with_the_rest(everything: _Definitions, folder: Path) -> None:
    try:
        _build(everything, [], personal=frozenset())
    except InvalidDefinition as error:
        raise InvalidDefinition(
            [
                f"{problem} It was applied before and is not in {folder}: put it there, repaired."
                for problem in error.problems
            ]
        ) from error


def _applied(rows: Iterable[Mapping[str, Any]]) -> _Definitions:
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
    return _Definitions(bodies=bodies, classes=classes, versions=versions, said=said)


def _settings(given: _Definitions, before: _Definitions) -> dict[str, Body]:
    """Write what holds for everything as definitions; most of it only where it is, or was, said."""
    traits = given.classes.lists("trait")
    settings: dict[str, Body] = {"traits": {"personal": [], **traits}}
    if given.classes.properties or before.classes.properties:
        settings["properties"] = given.classes.lists("property")
    for name in SAID:
        if name in given.said or name in before.said:
            settings[name] = given.said.get(name, {})
    return settings


def _read_folder(folder: Path, problems: list[str]) -> _Definitions:
    if not folder.is_dir():
        raise ProjectNotFound(f"{folder} is not a folder. Give the folder that holds use_cases/.")
    bodies = {
        kind: {
            file.stem: _named_toml(file, f"{place}/{file.name}", problems)
            for file in sorted((folder / place).glob("*.toml"))
        }
        for place, kind in KINDS.items()
    }
    if not bodies["use_case"]:
        raise ProjectNotFound(
            f"{folder} has no use_cases/*.toml. Write one, or give another folder."
        )
    settings = folder / "opportune.toml"
    body = read_toml(settings, settings.name, problems) if settings.exists() else None
    document = Document(body or {}, settings.name, problems)
    classes = FieldClasses(
        properties=read_classes(document.table("properties", required=False), "property"),
        traits=read_classes(document.table("traits", required=False), "trait"),
    )
    written = document.table(IDENTITY, required=False).body
    parse_identity_rules(written, problems, where=f"{settings.name}: {IDENTITY}")
    said = {IDENTITY: written} if IDENTITY in document.body else {}
    document.close()
    for name in (PRIVACY, CONSENT):
        file = folder / f"{name}.toml"
        if file.exists() and (read := read_toml(file, file.name, problems)) is not None:
            said[name] = read
    return _Definitions(bodies=bodies, classes=classes, versions={}, said=said)


def _named_toml(file: Path, where: str, problems: list[str]) -> Body | None:
    if not NAME.fullmatch(file.stem):
        problems.append(
            f"{where!r}: the file's name is the definition's name. Allowed: small letters, digits, "
            "_ and -, 63 at most, the first a letter or digit."
        )
        return None
    return read_toml(file, where, problems)


def _build(
    given: _Definitions, problems: list[str], *, personal: Collection[Field] | None = None
) -> Project:
    """Parse and check everything against each other; raises all ``problems``, earlier ones too.

    ``personal`` are the fields that values tell. If it is None, policies are not asked: what was
    applied is asked about when it is used, and one field must not stop all from being read.
    """
    metrics = _parsed(given.bodies["metric"], parse_metric, problems)
    segments = parse_segments(given.bodies["segment"], problems)
    audiences = parse_audiences(given.bodies["audience"], segments, problems)
    plans = _parsed(given.bodies["tracking_plan"], parse_plan, problems)
    policies = parse_field_policies(
        given.said.get(PRIVACY, {}),
        problems,
        classes=given.classes,
        use_cases=given.bodies["use_case"],
    )
    consent = _consent(given, problems)
    use_cases = {}
    for name, body in given.bodies["use_case"].items():
        if body is None:
            continue
        before = len(problems)
        use_cases[name] = read_use_case(name, body, problems, version=given.versions.get(name, 0))
        _check_references(use_cases[name], metrics, segments, problems)
        if personal is not None:
            found = forbidden_uses(use_cases[name], segments, policies, personal=personal)
            problems += (f"use_cases/{name}.toml: {where}: {each.message}" for where, each in found)
        _check_plugins(use_cases[name], problems)
        _check_purpose(use_cases[name], consent, problems)
        if len(problems) == before:
            _check_start(use_cases[name], metrics.get(use_cases[name].success_metric), problems)
    if problems:
        raise InvalidDefinition(problems)
    return Project(
        metrics=MappingProxyType({name: each for name, each in metrics.items() if each}),
        segments=MappingProxyType({name: each for name, each in segments.items() if each}),
        use_cases=MappingProxyType(use_cases),
        tracking_plans=MappingProxyType({name: each for name, each in plans.items() if each}),
        classes=given.classes,
        field_policies=policies,
        consent=consent,
        audiences=MappingProxyType(audiences),
    )


def _consent(given: _Definitions, problems: list[str]) -> ConsentRules | None:
    body = given.said.get(CONSENT)
    return parse_consent(body, problems, where=f"{CONSENT}.toml") if body else None


def _parsed(
    bodies: Mapping[str, Body | None],
    parse: Callable[[str, Body, list[str]], T | None],
    problems: list[str],
) -> dict[str, T | None]:
    return {
        name: None if body is None else parse(name, body, problems) for name, body in bodies.items()
    }


def _check_purpose(use_case: UseCase, consent: ConsentRules | None, problems: list[str]) -> None:
    purpose = use_case.activation.purpose
    purposes = consent.purposes if consent is not None else {}
    if purpose is not None and purpose not in purposes:
        problems.append(
            f"use_cases/{use_case.name}.toml: activation.purpose: consent.toml has no purpose "
            f"'{purpose}'. {nearest(purpose, purposes)}"
        )


def _check_references(
    use_case: UseCase,
    metrics: Mapping[str, object],
    segments: Mapping[str, object],
    problems: list[str],
) -> None:
    where = f"use_cases/{use_case.name}.toml"
    if use_case.success_metric and use_case.success_metric not in metrics:
        problems.append(
            f"{where}: success_metric: no metric '{use_case.success_metric}'. "
            f"{nearest(use_case.success_metric, metrics)}"
        )
    for key, names in (("segments", use_case.audience), ("minus", use_case.minus)):
        problems.extend(
            f"{where}: audience.{key}: no segment '{name}'. {nearest(name, segments)}"
            for name in names
            if name not in segments
        )


def _check_plugins(use_case: UseCase, problems: list[str]) -> None:
    where = f"use_cases/{use_case.name}.toml"
    activation = use_case.activation
    checks: tuple[tuple[str, str, Callable[[str], Iterable[str]]], ...] = (
        ("policy.name", use_case.policy, _check_policy),
        (
            "activation",
            activation.connector,
            lambda name: connector(name).check_config(activation.config),
        ),
    )
    for key, name, check in checks:
        try:
            problems.extend(
                f"{where}: {key}: {problem}" for problem in (check(name) if name else ())
            )
        except OpportuneError as error:
            problems.append(f"{where}: {key}: {error.message}")


def _check_policy(name: str) -> tuple[str, ...]:
    plugins.load(plugins.POLICIES, name)
    return ()


def _check_start(use_case: UseCase, metric: Metric | None, problems: list[str]) -> None:
    """Note whether the policy cannot play this space, such as one with too many combinations."""
    if metric is None:
        return
    kind = cast(PolicyKind, plugins.load(plugins.POLICIES, use_case.policy))
    try:
        kind.start(use_case.space, features=use_case.feature_count, reward=reward_kind(metric))
    except InvalidInput as error:
        problems.append(f"use_cases/{use_case.name}.toml: policy: {error.message}")
