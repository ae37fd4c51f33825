"""Test sends: to a temporary profile that is made for one of them and removed soon after.

The profile is noted in State before Braze is asked to make it, and stays noted until Braze took the
call that removes it; whatever is killed in between, a later call removes it. Its external id begins
with ``TEST_PROFILE``: what it does is neither event nor customer of ours. No decision is made and
no row of the outbox, so nothing counts it. The address is kept nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import msgspec

from opportune.activation.braze.ask import BrazeRefused, Workspace
from opportune.activation.connectors.braze import write_requests
from opportune.activation.connectors.braze_answers import read_deliveries
from opportune.activation.connectors.braze_ways import DIRECT, TEST_PROFILE, way_of
from opportune.activation.model import Request, Send
from opportune.errors import InvalidInput
from opportune.storage import State, load_sql

__all__ = [
    "STAYS_FOR",
    "InvalidTestAddress",
    "Trial",
    "Tried",
    "remove_test_profiles",
    "send_trial",
]

ROOM = "opportune.activation"
STAYS_FOR = timedelta(minutes=15)
"""How long a temporary profile stays: Braze needs it until the message has left."""

EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}\.[^\s@]{2,63}")
PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
DELETED_A_CALL = 50
A_ROUND = 500
DECISION = "test"


class InvalidTestAddress(InvalidInput):
    """A test send needs an email address or a phone number; the message does not repeat it."""

    code = "invalid_test_address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One test send. ``to`` is an email address, or a phone number such as "+491701234567".

    ``number`` is in nobody else's external id; ``by`` says who asked.
    """

    use_case: str
    config: Mapping[str, str]
    properties: Mapping[str, object]
    to: str
    number: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of a test send: whether Braze took it, and if not why."""

    accepted: bool
    reason: str
    external_id: str
    dispatch_id: str | None
    removed_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tracked:
    attributes_processed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deleted:
    deleted: int = 0


def send_trial(state: State, workspace: Workspace, trial: Trial, *, now: datetime) -> Tried:
    """Make a temporary profile, and have the use case's campaign or canvas send to it.

    Raises ``InvalidTestAddress`` before anything is made, or as ``Workspace.post``. An answer that
    never came is not repeated.
    """
    facts = _address(trial.to)
    external_id = f"{TEST_PROFILE}{trial.number}"
    noted = {
        "external_id": external_id,
        "base_url": trial.config["base_url"],
        "use_case": trial.use_case,
        "made_by": trial.by,
        "now": now,
    }
    state.rows(load_sql(ROOM, "note_test_profile"), noted)
    profile = {"external_id": external_id, **facts}
    tracked = workspace.post("/users/track", {"attributes": [profile]}, _Tracked, repeatable=True)
    if not tracked.attributes_processed:
        raise BrazeRefused("Braze made no temporary profile: it takes no such address.")
    request = _request(trial, external_id, facts)
    (found,) = read_deliveries(request, workspace.ask(request, repeatable=False))
    return Tried(
        accepted=found.outcome == "sent",
        reason=found.reason,
        external_id=external_id,
        dispatch_id=found.dispatch_id,
        removed_from=now + STAYS_FOR,
    )


def remove_test_profiles(
    state: State, reach: Callable[[str], AbstractContextManager[Workspace]], *, now: datetime
) -> int:
    """Remove the temporary profiles that are old enough; return how many.

    ``reach`` opens the workspace at a base URL. Raises as ``Workspace.post``; what was not removed
    is tried again by the next call.
    """
    facts = {"before": now - STAYS_FOR, "limit": A_ROUND}
    removed = 0
    for due in state.rows(load_sql(ROOM, "due_test_profiles"), facts):
        with reach(due["base_url"]) as workspace:
            for start in range(0, len(due["external_ids"]), DELETED_A_CALL):
                ids = due["external_ids"][start : start + DELETED_A_CALL]
                body = {"external_ids": ids}
                workspace.post("/users/delete", body, _Deleted, repeatable=True)
                state.rows(load_sql(ROOM, "forget_test_profiles"), {"external_ids": ids})
                removed += len(ids)
    return removed


def _address(to: str) -> dict[str, str]:
    if EMAIL.fullmatch(to):
        return {"email": to, "email_subscribe": "opted_in"}
    if PHONE.fullmatch(to):
        return {"phone": to}
    raise InvalidTestAddress(
        "A test send goes to an email address, as name@example.com, or to a phone number with its "
        "country, as +491701234567. Customers are not named: what they do is counted."
    )


def _request(trial: Trial, external_id: str, facts: Mapping[str, str]) -> Request:
    """Write the call. The address goes with it: Braze may not have made the profile yet.

    A message of ours cannot bring it along; it finds the profile, or nobody.
    """
    way = way_of(trial.config)
    if way is DIRECT:
        send = Send(
            key=external_id,
            decision_id=DECISION,
            user_id=external_id,
            properties=cast("dict[str, str | int | float | bool]", trial.properties),
        )
        return write_requests([send], trial.config)[0]
    recipient = {
        "external_user_id": external_id,
        "send_to_existing_only": False,
        "attributes": facts,
        way.properties: {**trial.properties, "decision_id": DECISION},
    }
    body = {way.setting: trial.config[way.setting], "recipients": [recipient]}
    return Request(
        method="POST", path=way.path, body=msgspec.json.encode(body), keys=(external_id,)
    )
