"""Consent: the newest that was said of each purpose and channel, in any order of arrival."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from opportune.profiles.permission import ConsentRules, parse_consent
from opportune.profiles.regroup import ROOM
from opportune.profiles.resolve import current_rules
from opportune.storage import Connection, fetch, load_sql, stage

__all__ = ["ConsentState", "consent_rules", "is_blocked", "keep_consent", "keep_statements"]

ConsentState = Literal["granted", "unknown", "withdrawn"]
COLUMNS = {
    "user_id": "user_id text",
    "anonymous_id": "anonymous_id text",
    "type": "type text",
    "event": "event text",
    "traits": "traits text",
    "context": "context text",
    "properties": "properties text",
    "occurred_at_us": "occurred_at_us bigint",
    "message_id": "message_id text",
    "source_id": "source_id text",
}
LONGEST_ID = 500
PREFERENCES = '"categoryPreferences"'


def keep_consent(connection: Connection, events: pa.Table) -> list[int]:
    """Keep what ``events`` (columns of ``events.EVENTS``) say of consent, in the caller's
    transaction, and return the identifiers of whom something new is known.

    Traits of identify calls, Segment's category preferences on any call, and the event of the
    rules' name speak of it. Of several statements the one that was made last counts, whichever came
    first; running it again with the same rows changes nothing. Nothing is kept where no purpose is
    defined.
    """
    rules = consent_rules(connection)
    return [] if rules is None else keep_statements(connection, events, rules, into="consent")


def keep_statements(
    connection: Connection, events: pa.Table, rules: ConsentRules, *, into: str
) -> list[int]:
    """Keep in the table ``into`` what ``events`` say by ``rules``, as `keep_consent` does."""
    speaking = _speaking(events, rules)
    if not speaking.num_rows:
        return []
    stage(connection, "speaking", tuple(COLUMNS.values()), speaking.select(list(COLUMNS)))
    identity = current_rules(connection)
    facts = {
        "traits": _spoken(
            ("trait", "purpose", "channel"),
            [
                (trait, purpose.name, channel)
                for purpose in rules.purposes.values()
                for trait, channel in purpose.traits.items()
            ],
        ),
        "categories": _spoken(
            ("category", "purpose"),
            [
                (category, purpose.name)
                for purpose in rules.purposes.values()
                for category in purpose.categories
            ],
        ),
        "event": rules.event,
        "blocked": sorted(identity.blocked),
        "blocked_patterns": list(identity.blocked_patterns),
    }
    text = load_sql(ROOM, "keep_consent").replace("consent/*again*/", into)
    changed = fetch(connection, text, facts)
    fetch(connection, "drop table speaking")
    return sorted({row["identifier_id"] for row in changed})


def consent_rules(connection: Connection) -> ConsentRules | None:
    """Return the rules of consent that were applied last; None where nothing was ever said."""
    rows = fetch(connection, load_sql(ROOM, "consent_rules"))
    if not rows or not rows[0]["body"]:
        return None
    return parse_consent(rows[0]["body"], [], where="consent")


def is_blocked(connection: Connection, value: str) -> bool:
    """Say whether an id is one that many share by mistake, or too long to be one."""
    rules = current_rules(connection)
    patterns = any(re.search(each, value) for each in rules.blocked_patterns)
    return patterns or value.lower() in rules.blocked or len(value) > LONGEST_ID


def _speaking(events: pa.Table, rules: ConsentRules) -> pa.Table:
    """Return the rows that may say something of consent, without reading any JSON."""
    chosen = pc.fill_null(pc.equal(events["event"], rules.event), False)
    if any(purpose.categories for purpose in rules.purposes.values()):
        found = pc.match_substring(events["context"], PREFERENCES)
        chosen = pc.or_(chosen, pc.fill_null(found, False))
    names = sorted({trait for each in rules.purposes.values() for trait in each.traits})
    if names:
        # A name with letters that JSON may write otherwise is looked for in every identify call.
        plain = all(re.fullmatch(r"[\w .-]+", name, re.ASCII) for name in names)
        pattern = f'"({"|".join(map(re.escape, names))})"' if plain else "."
        told = pc.fill_null(pc.match_substring_regex(events["traits"], pattern), False)
        chosen = pc.or_(chosen, pc.and_(told, pc.equal(events["type"], "identify")))
    return events.filter(chosen)


def _spoken(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    listed: list[Mapping[str, str]] = [dict(zip(names, row, strict=True)) for row in rows]
    return json.dumps(listed)
