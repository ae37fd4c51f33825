"""Write one use case as a definition, as `apply` writes a folder of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from opportune.decisions import UseCase, note_state
from opportune.documents import NAME, InvalidDefinition, has_nul
from opportune.errors import Conflict
from opportune.events import personal_fields
from opportune.project.check import build
from opportune.project.definitions import NEWEST, Writing, applied, write
from opportune.project.model import Body, Definitions
from opportune.storage import State, fetch, load_sql

__all__ = ["DefinitionChanged", "body_of", "define_use_case", "judge_use_case"]

ROOM = "opportune"


class DefinitionChanged(Conflict):
    """Somebody wrote a newer version of what was edited; nothing was written."""

    code = "definition_changed"


def body_of(state: State, name: str) -> tuple[int, Body] | None:
    """Return the newest version of a use case with its body as written; None: there is none."""
    before = applied(state.rows(load_sql(ROOM, NEWEST)))
    body = before.bodies["use_case"].get(name)
    return None if body is None else (before.versions[name], body)


def judge_use_case(state: State, name: str, body: Body) -> tuple[UseCase | None, tuple[str, ...]]:
    """Check ``body`` with everything that is applied: what it means, or all that is wrong."""
    before = applied(state.rows(load_sql(ROOM, NEWEST)))
    try:
        everything, problems = _with(before, name, body), _unnamed(name, body)
        found = build(everything, problems, personal=personal_fields(state))
    except InvalidDefinition as error:
        return None, tuple(error.problems)
    return found.use_cases[name], ()


def define_use_case(
    state: State, name: str, body: Body, *, version: int, by: str, now: datetime
) -> list[str]:
    """Write ``body`` as the version after ``version`` (0: a new one, which begins as a draft).

    Returns what was written, nothing where it says the same. Raises ``InvalidDefinition`` with
    every mistake, and ``DefinitionChanged`` where there is a newer version; then nothing was
    written.
    """
    personal = personal_fields(state)
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_definitions"))
        before = applied(fetch(connection, load_sql(ROOM, NEWEST)))
        newest = before.versions.get(name, 0)
        if newest != version:
            raise DefinitionChanged(
                f"Use case '{name}' has version {newest} meanwhile; version {version} was edited. "
                "Nothing was written. Open it again, and make your changes there."
            )
        build(_with(before, name, body), _unnamed(name, body), personal=personal)
        written = write(connection, "use_case", name, body, writing=Writing(now=now, by=by))
        if version == 0:
            note_state(connection, name, "draft", by=by, now=now)
    return written


def _with(before: Definitions, name: str, body: Body) -> Definitions:
    use_cases: Mapping[str, Body | None] = {**before.bodies["use_case"], name: body}
    return replace(before, bodies={**before.bodies, "use_case": use_cases})


def _unnamed(name: str, body: Body) -> list[str]:
    problems = []
    if not NAME.fullmatch(name):
        problems.append(
            f"name: {name[:70]!r} given. Allowed: small letters, digits, _ and -, 63 at most, the "
            "first a letter or digit."
        )
    if has_nul(body):
        problems.append("A text has the character U+0000, which cannot be kept.")
    return problems
