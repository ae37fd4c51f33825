"""Links that were set aside: both sides beside each other, and what a person says of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args
from urllib.parse import urlencode

from opportune import events, profiles, project
from opportune.errors import OpportuneError
from opportune.events import FieldClasses
from opportune.profiles import (
    Decided,
    Decision,
    DecisionDoesNotFit,
    DecisionStands,
    Side,
    UnknownReview,
    WaitingLink,
)
from opportune.web import pages
from opportune.web.asking import Asked, Fields, Moved, Shown
from opportune.web.people import FIRST, LAST, NAMES, display_name, shown
from opportune.web.person import id_of

__all__ = ["decide", "review", "take_back"]

ROWS = 50
LATELY = 20
MOST_TRAITS = 3
MOST_LETTERS = 40
# What a side is called by already.
NAMING = frozenset({*NAMES, *FIRST, *LAST})
DECISIONS: tuple[Decision, ...] = get_args(Decision)
STATUSES: tuple[tuple[type[OpportuneError], int], ...] = (
    (DecisionDoesNotFit, 400),
    (UnknownReview, 404),
    (DecisionStands, 409),
)
WRONG = tuple(error for error, _ in STATUSES)
# The button, and what is said when it is done.
LABELS: Mapping[str, tuple[str, str]] = {
    "same": ("They are the same person", "Done: they are one person now."),
    "apart": ("Keep apart", "Done: they stay two, and the link is off the list."),
    "move": ("Move it", "Done: the identifier went to the person who claims it."),
    "back": ("Take back", "Taken back: the link waits for a decision again."),
}
WHY: Mapping[str, str] = {
    "two_known": (
        "Both have a user id: two people on one device, or one person twice. Only somebody who "
        "knows them can tell."
    ),
    "limit": "Together they would have more identifiers of one kind than a person may have.",
    "size": "Together they would have more identifiers than a person may have.",
    "apart": "The link would join again what somebody cut.",
}
EVIDENCE: Mapping[str, str] = {
    "seen_together": "named together in",
    "alias": "called the same by the alias",
    "decided": "joined by the decision",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A decision that was not taken, to be told where it was asked for."""

    review_id: str
    error: OpportuneError

    @property
    def status(self) -> int:
        """The status of the page that tells it."""
        return next(status for error, status in STATUSES if isinstance(self.error, error))


def review(asked: Asked) -> Shown:
    """Show the links that wait for a decision, of all people or of one, and what was decided."""
    return _page(asked, asked.query, wrong=None)


def decide(asked: Asked) -> Moved | Shown:
    """Settle one link as its form says; what does not fit is told at the link."""
    review_id, given = asked.form.get("review_id"), asked.form.get("decision")
    decision = next((each for each in DECISIONS if each == given), None)
    try:
        if decision is None:
            raise DecisionDoesNotFit(
                f"'{given}' is no decision. Allowed: {', '.join(DECISIONS)}. Nothing was changed."
            )
        profiles.settle(asked.stores.state, review_id, decision, by=asked.by, now=asked.now)
    except WRONG as error:
        return _page(asked, asked.form, wrong=Wrong(review_id=review_id, error=error))
    return Moved(to=_address(asked.form, done=decision))


def take_back(asked: Asked) -> Moved | Shown:
    """Take back that two are apart; what cannot be is told."""
    review_id = asked.form.get("review_id")
    try:
        profiles.take_back(asked.stores.state, review_id, by=asked.by, now=asked.now)
    except WRONG as error:
        return _page(asked, asked.form, wrong=Wrong(review_id=review_id, error=error))
    return Moved(to=_address(asked.form, done="back"))


def _page(asked: Asked, said: Fields, *, wrong: Wrong | None) -> Shown:
    state, given = asked.stores.state, said.get("person")
    person = id_of(given) if given else None
    page = said.page()
    found = profiles.review_page(
        state, now=asked.now, profile_id=person, skip=(page - 1) * ROWS, limit=ROWS
    )
    last = max(math.ceil(found.total / ROWS), 1)
    if page > last:
        # The last link of the last page was decided.
        page = last
        found = profiles.review_page(
            state, now=asked.now, profile_id=person, skip=(page - 1) * ROWS, limit=ROWS
        )
    classes = project.read(state).classes
    context = {
        "waiting": [_row(each, classes) for each in found.rows],
        "total": found.total,
        "first": (page - 1) * ROWS + 1,
        "page": page,
        "last": last,
        "person": given,
        "links": {each: _address(said, page=each) for each in (page - 1, page + 1)},
        "decided": [_settled(each) for each in profiles.decided(state, limit=LATELY)],
        "done": LABELS[said.get("done")][1] if said.get("done") in LABELS else "",
        "wrong": wrong,
        "labels": LABELS,
    }
    body = pages.render("review.html", asked.frame, context)
    return Shown(body=body, status=200 if wrong is None else wrong.status)


def _address(said: Fields, *, page: int | None = None, done: str = "") -> str:
    number = said.page() if page is None else page
    told = {"person": said.get("person"), "page": str(number) if number > 1 else "", "done": done}
    query = urlencode({name: value for name, value in told.items() if value})
    return f"/review?{query}" if query else "/review"


def _row(waiting: WaitingLink, classes: FieldClasses) -> dict[str, object]:
    item = waiting.item
    owner, other = _side(waiting.owner), _side(waiting.other)
    identifier = f"{item.other[0]} {_short(item.other[1])}"
    return {
        "item": item,
        "owner_identifier": f"{item.owner[0]} {_short(item.owner[1])}",
        "identifier": identifier,
        "message": _short(item.message_id),
        "why": WHY[item.reason],
        "evidence": EVIDENCE[item.rule],
        "sides": (owner, other),
        "traits": _traits(waiting, classes),
        "choices": [
            (each, _effect(each, item.reason, identifier, str(owner["name"]), str(other["name"])))
            for each in ("same", "move", "apart")
            if each in waiting.fits
        ],
    }


def _effect(decision: str, reason: str, identifier: str, owner: str, other: str) -> str:
    """Say what a decision does."""
    if decision == "same":
        return (
            "They become one, with the identifiers, traits and events of both. A cut parts them "
            "again."
        )
    if decision == "move":
        return (
            f"{identifier} goes from {other} to {owner}, with what was told through it alone. "
            "The cut can be put back."
        )
    if reason == "apart":
        return "The cut stays. To join them, put the cut back on the page of the person."
    return "They stay two, as they are. It can be taken back."


def _side(side: Side) -> dict[str, object]:
    return {
        "side": side,
        "name": _short(display_name(side.traits, side.identifiers)),
        "identifiers": [(kind, _short(value)) for kind, value in side.identifiers],
        "more": side.identifier_count - len(side.identifiers),
    }


def _traits(waiting: WaitingLink, classes: FieldClasses) -> list[dict[str, object]]:
    """Return the first few traits, what both have before the others.

    What the name and the identifiers say already is left out.
    """
    owner, other = waiting.owner.traits, waiting.other.traits
    identifiers = (*waiting.owner.identifiers, *waiting.other.identifiers)
    told = NAMING | {kind for kind, _ in identifiers}
    names = sorted(
        {*owner, *other} - told, key=lambda name: (not (name in owner and name in other), name)
    )
    return [
        {
            "name": _short(name),
            "field": events.field_class("trait", name, declared=classes),
            "values": tuple(_short(shown(each.get(name))) for each in (owner, other)),
            "equal": name in owner and name in other and owner[name] == other[name],
        }
        for name in names[:MOST_TRAITS]
    ]


def _settled(decided: Decided) -> dict[str, object]:
    owner_id, _ = profiles.identifiers_decided(decided.review_id)
    return {
        "decided": decided,
        "owner": (decided.owner[0], _short(decided.owner[1])),
        "other": (decided.other[0], _short(decided.other[1])),
        "address": f"/people/{owner_id}#identity",
    }


def _short(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
