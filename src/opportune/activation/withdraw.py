"""Take back what is still to be sent to whoever does not allow it any more."""

from __future__ import annotations

from collections.abc import Sequence

from opportune.profiles import consent_rules
from opportune.storage import Connection, fetch, load_sql

__all__ = ["recall_refused", "refused", "withdraw"]

ROOM = "opportune.activation"


def withdraw(connection: Connection, identifiers: Sequence[int]) -> int:
    """Fail the open rows of these identifiers' profiles that lack consent; return how many.

    In the caller's transaction, so that a row is not sent once the statement is known. A row in a
    sender's hands is not tried again after its present call; what a receiver holds is taken back.
    """
    if not identifiers:
        return 0
    found = fetch(connection, load_sql(ROOM, "open_rows"), {"identifiers": list(identifiers)})
    return len(_judge(connection, [row["key"] for row in found], reserved_now=False))


def refused(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Fail those of the rows, just reserved in this transaction, that lack consent; return them.

    What a profile allows also changes when identifiers are joined or cut.
    """
    return _judge(connection, keys, reserved_now=True)


def recall_refused(connection: Connection, keys: Sequence[str]) -> None:
    """Have those of the rows taken back from their receiver that lack consent by now."""
    _judge(connection, keys, reserved_now=False)


def _judge(connection: Connection, keys: Sequence[str], *, reserved_now: bool) -> set[str]:
    rules = consent_rules(connection) if keys else None
    if rules is None:
        return set()
    facts = {"keys": list(keys), "assumed": rules.assumed, "reserved_now": reserved_now}
    return {row["key"] for row in fetch(connection, load_sql(ROOM, "withdraw"), facts)}
