"""The workspace: its users, what each received, and what each did with it."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.errors import nearest
from opportune.sandbox.journal import Journal, recall
from opportune.sandbox.model import Message, SandboxConfig, SendCall, UnknownMarket
from opportune.simulate import MARKETS, Market

__all__ = ["DaySends", "Workspace", "braze_id", "open_workspace"]

JOURNAL_LINES = 1000  # of the newest calls kept in memory for /_sandbox/journal


@dataclass(slots=True, kw_only=True)
class _DayLog:
    """Messages of one day in the order they were accepted; options flat, one per dimension."""

    users: array[int] = field(default_factory=lambda: array("q"))
    options: array[int] = field(default_factory=lambda: array("h"))
    decision_ids: list[str | None] = field(default_factory=list)
    dispatch_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySends:
    """Messages of one day to the market's customers, in the order they were accepted.

    ``actions`` is (m, D) option indices, -1 where the message named no known option.
    """

    rows: NDArray[np.int64]
    actions: NDArray[np.int16]
    decision_ids: Sequence[str | None]
    dispatch_ids: Sequence[str]


class Workspace:
    """State of one sandbox. Only the server's event loop changes it.

    A user is a number: customers of the market keep their row, created users follow.
    """

    def __init__(self, market: Market, *, now: datetime, journal: Journal | None) -> None:
        self.market = market
        self.now = now
        self.external_ids: list[str] = market.user_ids.tolist()
        self.numbers = {name: number for number, name in enumerate(self.external_ids)}
        self.by_braze_id = {braze_id(name): number for name, number in self.numbers.items()}
        self._emails = dict(zip(market.traits["email"].to_pylist(), self.external_ids, strict=True))
        self.attributes: dict[int, dict[str, object]] = {}
        self.last_received: dict[int, datetime] = {}
        self.flags: dict[str, set[int]] = {}
        self.lines: deque[bytes] = deque(maxlen=JOURNAL_LINES)
        self.faults: deque[str] = deque()
        self._days: dict[date, _DayLog] = {}
        self._journal = journal
        self._options = [
            (d.name, {option: index for index, option in enumerate(d.options)})
            for d in market.space.dimensions
        ]

    def accept(self, call: SendCall) -> None:
        """Write the call to the journal, then let it take effect."""
        line = msgspec.json.encode(call)
        if self._journal is not None:
            self._journal.append(line)
        self.remember(call, line)

    def remember(self, call: SendCall, line: bytes) -> None:
        """Let a call that is in the journal take effect."""
        self.lines.append(line)
        day = self._days.setdefault(call.at.date(), _DayLog())
        for message in call.messages:
            number = self.numbers.get(message.external_user_id)
            if number is None:
                number = self.create(message.external_user_id)
            self.last_received[number] = call.at
            day.users.append(number)
            day.options.extend(self._action(message))
            decision_id = message.trigger_properties.get("decision_id")
            day.decision_ids.append(decision_id if isinstance(decision_id, str) else None)
            day.dispatch_ids.append(call.dispatch_id)

    def create(self, external_id: str) -> int:
        """Add a user that is no customer of the market: reachable, and without any habits."""
        number = len(self.external_ids)
        self.external_ids.append(external_id)
        self.numbers[external_id] = number
        self.by_braze_id[braze_id(external_id)] = number
        return number

    def owner_of(self, email: str) -> str | None:
        """The external id of the customer with this address."""
        return self._emails.get(email)

    def traits_of(self, number: int) -> dict[str, object]:
        """What the market says of this user, without the id; nothing of created users."""
        if number >= len(self.market.user_ids):
            return {}
        row: dict[str, object] = self.market.traits.slice(number, 1).to_pylist()[0]
        return {name: value for name, value in row.items() if name != "user_id"}

    def flag(self, name: str, numbers: Iterable[int]) -> None:
        """Mark these users for good, for instance as having opened an email."""
        self.flags.setdefault(name, set()).update(numbers)

    def users_of(self, day: date) -> NDArray[np.int64]:
        """The user number of every message of the day."""
        log = self._days.get(day)
        return np.array(log.users if log else [], dtype=np.int64)

    def days(self) -> list[date]:
        """The days on which anything was sent, in order."""
        return sorted(self._days)

    def sends_of(self, day: date) -> DaySends:
        """A copy of the day's messages to customers of the market."""
        log = self._days.get(day, _DayLog())
        rows = np.array(log.users, dtype=np.int64)
        actions = np.array(log.options, dtype=np.int16).reshape(len(rows), len(self._options))
        known = rows < len(self.market.user_ids)
        kept = np.flatnonzero(known).tolist()
        return DaySends(
            rows=rows[known],
            actions=actions[known],
            decision_ids=[log.decision_ids[index] for index in kept],
            dispatch_ids=[log.dispatch_ids[index] for index in kept],
        )

    def close(self) -> None:
        """Close the journal file."""
        if self._journal is not None:
            self._journal.close()

    def _action(self, message: Message) -> list[int]:
        """Option indices; all -1 unless every dimension names a known option."""
        properties = message.trigger_properties
        action = []
        for name, options in self._options:
            option = properties.get(name)
            index = options.get(option) if isinstance(option, str) else None
            if index is None:
                return [-1] * len(self._options)
            action.append(index)
        return action


def open_workspace(config: SandboxConfig) -> Workspace:
    """The market's customers, and whatever the journal file remembers of them."""
    if config.market not in MARKETS:
        raise UnknownMarket(
            f"There is no market {config.market!r}. {nearest(config.market, MARKETS)}"
        )
    calls = recall(config.journal) if config.journal else []
    workspace = Workspace(
        MARKETS[config.market](customers=config.customers, seed=config.seed),
        now=datetime.combine(config.start, time(), UTC),
        journal=Journal(config.journal) if config.journal else None,
    )
    for call in calls:
        workspace.remember(call, msgspec.json.encode(call))
        workspace.now = max(workspace.now, call.at)
    return workspace


def braze_id(external_id: str) -> str:
    """The id the workspace gives this user: 24 hex characters."""
    return blake2b(external_id.encode(), digest_size=12).hexdigest()
