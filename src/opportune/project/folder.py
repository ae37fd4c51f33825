"""Read the folder that a team keeps its definitions in."""

from __future__ import annotations

from pathlib import Path

from opportune.decisions import parse_holdout
from opportune.documents import Document, read_named_toml, read_toml
from opportune.events import FieldClasses, read_classes
from opportune.profiles import parse_identity_rules
from opportune.project.messages import with_messages
from opportune.project.model import (
    CONSENT,
    HOLDOUT,
    IDENTITY,
    KINDS,
    PRIVACY,
    Definitions,
    ProjectNotFound,
)

__all__ = ["read_folder"]


def read_folder(folder: Path, problems: list[str]) -> Definitions:
    """Read what is written in ``folder``; what cannot be read becomes a line of ``problems``."""
    if not folder.is_dir():
        raise ProjectNotFound(f"{folder} is not a folder. Give the folder that holds use_cases/.")
    bodies = {
        kind: {
            file.stem: read_named_toml(file, f"{place}/{file.name}", problems)
            for file in sorted((folder / place).glob("*.toml"))
        }
        for place, kind in KINDS.items()
    }
    bodies["use_case"] = {
        name: with_messages(folder, name, body, problems)
        for name, body in bodies["use_case"].items()
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
    held_out = document.table(HOLDOUT, required=False).body
    parse_holdout(held_out, problems, where=f"{settings.name}: {HOLDOUT}")
    if HOLDOUT in document.body:
        said[HOLDOUT] = held_out
    document.close()
    for name in (PRIVACY, CONSENT):
        file = folder / f"{name}.toml"
        if file.exists() and (body := read_toml(file, file.name, problems)) is not None:
            said[name] = body
    return Definitions(bodies=bodies, classes=classes, versions={}, said=said)
