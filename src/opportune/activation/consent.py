"""Somebody says for a person what is allowed: on record as an event, and in force at once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import msgspec

from opportune import events, profiles
from opportune.activation.withdraw import withdraw
from opportune.errors import InvalidInput
from opportune.profiles import EVERY, ConsentRules
from opportune.storage import Frame, Stores

__all__ = ["ConsentNotPossible", "Statement", "state_consent"]

OWN_IDS = {"user_id": "userId", "anonymous_id": "anonymousId"}


class ConsentNotPossible(InvalidInput):
    """Consent cannot be stated like this: the purpose is none, or nobody is meant."""

    code = "consent_not_possible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a person allows (True) or refuses (False); None: what was said before counts no more.

    Parameters
    ----------
    purpose, channel:
        What it is about; ``*`` is every one.
    by:
        Who put it on record.
    evidence:
        How it is known, such as "letter of 3 May, case 4711".
    """

    purpose: str
    channel: str
    granted: bool | None
    by: str
    evidence: str


def state_consent(
    stores: Stores, kind: str, value: str, statement: Statement, *, now: datetime
) -> int:
    """Put a statement on record; return how many sends that were waiting it ended.

    It is an event of the log like any other, and acts before this returns. A user id or anonymous
    id that nobody has yet is accepted. Raises ``ConsentNotPossible`` or ``UnknownProfile``.
    """
    holder = _holder(stores, kind, value)
    with stores.state.transaction() as connection, ExitStack() as stack:
        rules = profiles.consent_rules(connection) or ConsentRules()
        _check(statement, rules)
        frame = _frame(holder, statement, rules.event, now)
        said = events.event_table([(frame, events.decode_segment(frame).events)])
        if not said.num_rows or profiles.is_blocked(connection, holder[1]):
            raise ConsentNotPossible(
                "This id cannot be anybody's: it is blocked, or longer than an id may be. Check it."
            )
        ended = withdraw(connection, profiles.keep_consent(connection, said))
        # On record before it counts.
        stores.open_log(stack).append(frame).result()
    return ended


def _check(statement: Statement, rules: ConsentRules) -> None:
    if not rules.purposes:
        raise ConsentNotPossible(
            "No purpose is defined. Write consent.toml, and run `opportune apply`."
        )
    allowed = [*sorted(rules.purposes), EVERY]
    if statement.purpose not in allowed:
        raise ConsentNotPossible(
            f"No purpose '{statement.purpose}'. Allowed: {', '.join(allowed)}."
        )


def _holder(stores: Stores, kind: str, value: str) -> tuple[str, str]:
    """Return the id by which an event names the profile: its user id before an anonymous one."""
    if kind in OWN_IDS and profiles.storable(kind, value):
        return kind, value
    known = profiles.get(stores.state, kind, value).identifiers
    own = [each for each in reversed(known) if each[0] in OWN_IDS]
    if not own:
        raise ConsentNotPossible(
            "The profile has neither a user id nor an anonymous id, and no event can name it. "
            "State it for the profile that it belongs to."
        )
    return own[0]


def _frame(holder: tuple[str, str], statement: Statement, event: str, now: datetime) -> Frame:
    body = {
        "type": "track",
        "event": event,
        OWN_IDS[holder[0]]: holder[1],
        "timestamp": now.isoformat(),
        "properties": {
            "purpose": statement.purpose,
            "channel": statement.channel,
            "granted": statement.granted,
            "by": statement.by,
            "evidence": statement.evidence,
        },
    }
    digest = blake2b(msgspec.json.encode(body), digest_size=16).hexdigest()
    return Frame(
        received_at_us=int(now.timestamp() * 1_000_000),
        source_id=events.OURS,
        kind="batch",
        body=msgspec.json.encode({"batch": [{**body, "messageId": f"consent:{digest}"}]}),
    )
