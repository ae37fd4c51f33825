"""The nouns of identity: identifiers, the links between them, cuts, and what waits for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = [
    "Change",
    "Cut",
    "Decided",
    "Decision",
    "Identifier",
    "Identity",
    "Link",
    "Reason",
    "ReviewItem",
    "ReviewPage",
    "Side",
    "View",
    "WaitingLink",
]

View = Literal["private", "none"]
"""How identifiers are merged: ``private`` as they were resolved, ``none`` each one alone."""
Decision = Literal["apart", "move", "same"]
"""What a person says of a link that was set aside: leave it, give it to the other, one person."""
Reason = Literal["two_known", "limit", "size", "cut", "apart"]
"""Why a link joins nothing: both sides have a user id; too many values of the kind; too many at
all; the link was cut; it would join again what was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """One identifier of a profile; ``linked_at`` is since when it belongs to it."""

    kind: str
    value: str
    linked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Two identifiers of one message: evidence that they are the same person.

    ``owner`` and ``other`` are (kind, value); the message itself belongs to ``owner``.
    ``set_aside`` is why the link joins nothing, None where it holds; ``decision`` what a person
    said of that.
    """

    owner: tuple[str, str]
    other: tuple[str, str]
    occurred_at: datetime
    message_id: str
    source_id: str
    rule: str
    set_aside: str | None
    decision: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None

    @property
    def waits(self) -> bool:
        """Whether a person has to decide: the link is on the review list."""
        return self.decision is None and self.set_aside in ("two_known", "limit", "size", "apart")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """An identifier that somebody took out of a profile, until it is restored."""

    cut_id: int
    identifier: tuple[str, str]
    anchor: tuple[str, str]
    reason: str
    cut_by: str
    cut_at: datetime
    restored_by: str | None = None
    restored_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An identifier went from one profile to another."""

    changed_at: datetime
    identifier: tuple[str, str]
    from_profile_id: int
    to_profile_id: int
    reason: str
    message_id: str
    source_id: str
    changed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a person said of a link that was set aside, until it is taken back."""

    review_id: str
    owner: tuple[str, str]
    other: tuple[str, str]
    decision: Decision
    decided_by: str
    decided_at: datetime
    taken_back_by: str | None = None
    taken_back_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Everything that says why these identifiers are one profile."""

    profile_id: int
    identifiers: tuple[Identifier, ...]
    links: tuple[Link, ...]
    cuts: tuple[Cut, ...]
    changes: tuple[Change, ...]
    decisions: tuple[Decided, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """A link that was set aside and waits for a person to decide.

    ``owner`` claims ``other``, which another profile holds or which is one too many.
    """

    review_id: str
    reason: str
    owner: tuple[str, str]
    other: tuple[str, str]
    owner_profile_id: int
    other_profile_id: int
    occurred_at: datetime
    message_id: str
    source_id: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two profiles that a link would join, as far as it takes to tell them apart.

    ``identifiers`` are the first few of ``identifier_count``, user ids before all; ``events`` is
    how many events of the last 30 days are its own.
    """

    profile_id: int
    identifiers: tuple[tuple[str, str], ...]
    identifier_count: int
    traits: Mapping[str, object]
    first_seen_at: datetime
    last_seen_at: datetime
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLink:
    """A link that waits for a decision, with both profiles beside each other.

    ``owner`` claims the identifier, ``other`` has it; ``fits`` are the decisions that there are.
    """

    item: ReviewItem
    owner: Side
    other: Side
    fits: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """One page of the review list, and how many links wait in all."""

    rows: tuple[WaitingLink, ...]
    total: int
