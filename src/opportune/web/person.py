"""One person: what is known, why, and what was done."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from opportune import events, profiles, project, reports
from opportune.errors import InvalidInput
from opportune.profiles import UnknownProfile
from opportune.reports import Entry, KnownTrait, Person
from opportune.web import pages
from opportune.web.asking import Asked, Moved, Shown
from opportune.web.identity import identity_tree
from opportune.web.people import display_name, shown
from opportune.web.would_get import would_get

__all__ = ["NotConfirmed", "cut", "first_of", "id_of", "person", "person_of", "restore"]

ENTRIES = 50
MOST_ENTRIES = 200
KINDS = ("event", "message", "decision", "membership")
CUT = "cut"


class NotConfirmed(InvalidInput):
    """What destroys or takes apart something was not confirmed by typing."""

    code = "not_confirmed"


def person(asked: Asked) -> Shown | Moved:
    """Show one person; one whose record went into another is shown there."""
    found = person_of(asked, asked.path["id"])
    first = found.identifiers[0]
    why = profiles.identity(asked.stores.state, first.kind, first.value)
    if str(found.profile_id) != asked.path["id"]:
        went = any(str(each.from_profile_id) == asked.path["id"] for each in why.changes)
        return Moved(to=f"/people/{found.profile_id}{'?was=1' if went else ''}")
    defined = project.read(asked.stores.state)
    titles = {name: each.title for name, each in defined.segments.items()}
    context = {
        "person": found,
        "name": _name(found),
        "traits": [
            {
                "trait": each,
                "value": shown(each.value),
                "asks": _asks(each),
                "field": events.field_class("trait", each.name, declared=defined.classes),
            }
            for each in found.traits
        ],
        "consent": reports.consent_answers(found.consent, defined.consent),
        "titles": titles,
        "would_get": would_get(asked, defined, *first_of(found)),
        "why": why,
        "waiting": sum(each.waits for each in why.links),
        "tree": identity_tree(why.identifiers, why.links),
        "merged": asked.query.get("was") == "1",
        "cut_word": CUT,
        **_timeline(asked, found, titles),
    }
    return Shown(body=pages.render("person.html", asked.frame, context))


def cut(asked: Asked) -> Moved:
    """Take an identifier out of the person. Raises ``NotConfirmed``."""
    if asked.form.get("confirm") != CUT:
        raise NotConfirmed(f"Type '{CUT}' to confirm. Nothing was changed.")
    profiles.cut(
        asked.stores.state,
        asked.form.get("kind"),
        asked.form.all("value")[0] if asked.form.all("value") else "",
        by=asked.by,
        reason=asked.form.get("reason") or "no reason given",
        now=asked.now,
    )
    return Moved(to=f"/people/{asked.path['id']}#identity")


def restore(asked: Asked) -> Moved:
    """Undo a cut."""
    given = asked.form.get("cut_id")
    cut_id = int(given) if given.isdecimal() and len(given) < 18 else 0
    profiles.restore(asked.stores.state, cut_id, by=asked.by, now=asked.now)
    return Moved(to=f"/people/{asked.path['id']}#identity")


def person_of(asked: Asked, given: str) -> Person:
    """Return the person of an address: the id of a profile, or of any of its identifiers."""
    zone = asked.stores.settings.time_zone
    return reports.person_by_id(asked.stores.state, id_of(given), default_zone=zone)


def id_of(given: str) -> int:
    """Read the id of an address. Raises ``UnknownProfile`` for what is none."""
    digits = given.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and abs(int(digits[:20])) < 2**63):
        raise UnknownProfile("Nobody has this address. Find the person by name, email or id.")
    return int(given)


def _name(found: Person) -> str:
    traits = {each.name: each.value for each in found.traits}
    return display_name(traits, [(each.kind, each.value) for each in found.identifiers])


def first_of(found: Person) -> tuple[str, str]:
    """Return the identifier to name the person by: a user id where there is one."""
    named = sorted(found.identifiers, key=lambda each: each.kind != "user_id")
    return named[0].kind, named[0].value


def _timeline(asked: Asked, found: Person, titles: Mapping[str, str]) -> dict[str, object]:
    kind = asked.query.get("kind") if asked.query.get("kind") in KINDS else ""
    page = reports.timeline(
        asked.stores,
        found.profile_id,
        before=asked.query.get("before") or None,
        limit=MOST_ENTRIES if kind else ENTRIES,
    )
    entries = [each for each in page.entries if kind in ("", each.kind)]
    older = urlencode({"kind": kind, "before": page.before}) if page.before else ""
    return {
        "entries": [
            {
                "entry": each,
                "title": _title(each, titles),
                "facts": _facts(each),
                "countable": each.kind == "event" and each.title not in events.KINDS,
            }
            for each in entries
        ],
        "kind": kind,
        "kinds": KINDS,
        "older": older,
        "newest": not asked.query.get("before"),
    }


def _asks(trait: KnownTrait) -> str:
    """Return the address of a new segment of those who share the trait; empty for no such value."""
    if not isinstance(trait.value, str | int | float):
        return ""
    told = {"trait": trait.name, "value": pages.json_text(trait.value)}
    return f"/new-segment?{urlencode(told)}"


def _title(entry: Entry, titles: Mapping[str, str]) -> str:
    if entry.kind == "membership":
        verb = "Entered" if entry.facts.get("change") == "entered" else "Left"
        return f"{verb} segment {titles.get(entry.title, entry.title)}"
    if entry.kind == "decision":
        return f"Decided for use case {entry.title}"
    return entry.title


def _facts(entry: Entry) -> list[tuple[str, str]]:
    if entry.kind == "membership":
        return []
    return [(name, shown(value)) for name, value in entry.facts.items()]
