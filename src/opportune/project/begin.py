"""Begin a use case from a template: what it names is written to State, the use case is not."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from opportune.events import personal_fields
from opportune.project.check import build
from opportune.project.definitions import NEWEST, Writing, applied, write
from opportune.project.model import Body
from opportune.project.template import definition_files
from opportune.storage import State, fetch, load_sql

__all__ = ["add_template", "template_body"]

ROOM = "opportune"
# What a use case names, in the order in which it can be written.
NAMED = {"metrics": "metric", "segments": "segment"}


def template_body(name: str) -> Body:
    """Return the use case of a template as its file says it. Raises ``TemplateNotFound``."""
    return _bodies(name, "use_cases")[name]


def add_template(state: State, name: str, *, now: datetime) -> list[str]:
    """Write the metrics and segments of a template that are not there yet; say which those are.

    One that is there stays as it is, whatever it says. Consent, classes of traits and the tracking
    plan are for a person to decide: `opportune init` has them. Raises ``TemplateNotFound``, and
    ``InvalidDefinition`` where they do not fit what is applied; then nothing was written.
    """
    given = {kind: _bodies(name, folder) for folder, kind in NAMED.items()}
    personal = personal_fields(state)
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_definitions"))
        before = applied(fetch(connection, load_sql(ROOM, NEWEST)))
        bodies = {kind: {**found, **before.bodies[kind]} for kind, found in given.items()}
        build(replace(before, bodies={**before.bodies, **bodies}), [], personal=personal)
        return [
            said
            for kind, found in given.items()
            for each, body in found.items()
            if each not in before.bodies[kind]
            for said in write(connection, kind, each, body, writing=Writing(now=now))
        ]


def _bodies(name: str, folder: str) -> Mapping[str, Mapping[str, Any]]:
    files = definition_files(name, folder)
    return {each: tomllib.loads(text) for each, text in files.items()}
