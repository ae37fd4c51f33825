"""Read the folder that a team keeps its definitions in."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from opportune.documents import Document, has_nul
from opportune.events import FieldClasses, read_classes
from opportune.profiles import parse_identity_rules
from opportune.project.model import IDENTITY, KINDS, PRIVACY, Body, Definitions, ProjectNotFound

__all__ = ["read_folder"]

# It is part of ids, keys and addresses.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def read_folder(folder: Path, problems: list[str]) -> Definitions:
    """Read what is written in ``folder``; what cannot be read becomes a line of ``problems``."""
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
    body = _toml(settings, settings.name, problems) if settings.exists() else None
    document = Document(body or {}, settings.name, problems)
    classes = FieldClasses(
        properties=read_classes(document.table("properties", required=False), "property"),
        traits=read_classes(document.table("traits", required=False), "trait"),
    )
    written = document.table(IDENTITY, required=False).body
    parse_identity_rules(written, problems, where=f"{settings.name}: {IDENTITY}")
    said = {IDENTITY: written} if IDENTITY in document.body else {}
    document.close()
    privacy = folder / f"{PRIVACY}.toml"
    if privacy.exists() and (body := _toml(privacy, privacy.name, problems)) is not None:
        said[PRIVACY] = body
    return Definitions(bodies=bodies, classes=classes, versions={}, said=said)


def _named_toml(file: Path, where: str, problems: list[str]) -> Body | None:
    if not NAME.fullmatch(file.stem):
        problems.append(
            f"{where!r}: the file's name is the definition's name. Allowed: small letters, digits, "
            "_ and -, 63 at most, the first a letter or digit."
        )
        return None
    return _toml(file, where, problems)


def _toml(file: Path, where: str, problems: list[str]) -> Body | None:
    """Read one file; None, with a problem noted, for one that cannot be read."""
    try:
        body = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{where}: cannot be read: {error.strerror}.")
    except RecursionError:
        problems.append(f"{where}: nested too deeply.")
    except ValueError as error:
        problems.append(f"{where}: not valid TOML: {error}")
    else:
        if not has_nul(body):
            return body
        problems.append(f"{where}: a text has the character U+0000, which cannot be kept.")
    return None
