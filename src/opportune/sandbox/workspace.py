"""The workspace: its users, its catalogue, who received what, and what they did with it."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.errors import nearest
from opportune.sandbox.catalogue import Catalogue, Variation, default_catalogue
from opportune.sandbox.diary import Diary, Schedule
from opportune.sandbox.export_jobs import Exports
from opportune.sandbox.journal import Journal, recall
from opportune.sandbox.model import Message, SandboxConfig, SendCall, UnknownMarket
from opportune.sandbox.people import People
from opportune.simulate import MARKETS, Market

__all__ = ["DayLog", "DaySends", "Receipt", "Seen", "Way", "Workspace", "open_workspace"]

JOURNAL_LINES = 1000  # of the newest calls kept in memory for /_sandbox/journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a message was part of: figures are counted by it."""

    campaign_id: str = ""
    canvas_id: str = ""
    step_id: str = ""
    variation_id: str = ""
    channel: str = ""
    send_id: str = ""


@dataclass(slots=True, kw_only=True)
class DayLog:
    """Messages of one day in the order they were accepted; options flat, one per dimension.

    ``ways`` points into the workspace's ways, ``calls`` into its journal, ``places`` into the
    messages of the call.
    """

    users: array[int] = field(default_factory=lambda: array("q"))
    options: array[int] = field(default_factory=lambda: array("h"))
    ways: array[int] = field(default_factory=lambda: array("i"))
    calls: array[int] = field(default_factory=lambda: array("q"))
    places: array[int] = field(default_factory=lambda: array("q"))
    decision_ids: list[str | None] = field(default_factory=list)
    dispatch_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySends:
    """Messages of one day to the market's customers, in the order they were accepted.

    ``actions`` is (m, D) option indices, -1 where the message named no known option; ``ways``
    (m,) points into ``known_ways``.
    """

    rows: NDArray[np.int64]
    actions: NDArray[np.int16]
    ways: NDArray[np.int32]
    known_ways: Sequence[Way]
    decision_ids: Sequence[str | None]
    dispatch_ids: Sequence[str]


class Seen(msgspec.Struct, frozen=True):
    """One request as it was answered; a long body is left out."""

    at: datetime
    request_id: str
    method: str
    path: str
    query: str
    status: int
    fault: str
    body: str


SENDING_PATHS = frozenset(  # whose faults are those without a path
    (
        "/campaigns/trigger/send",
        "/campaigns/trigger/schedule/create",
        "/canvas/trigger/send",
        "/canvas/trigger/schedule/create",
        "/messages/send",
        "/messages/schedule/create",
    )
)
Chosen = tuple[list[int], list[int]]  # of each message: user, and variation of the call
Receipt = tuple[datetime, int]  # when, and which of the workspace's ways


class Workspace:
    """State of one sandbox. Only the server's event loop changes it.

    ``received`` maps a campaign or canvas to its recipients, ``entered`` a canvas to when users
    came in, ``stepped`` a step of one. ``figures`` holds, for each day that was lived through, how
    often (way, kind of engagement) happened; ``revenue`` what was paid through each way.
    """

    def __init__(
        self,
        market: Market,
        *,
        now: datetime,
        journal: Journal,
        messages_per_day: int | None = None,
    ) -> None:
        self.market = market
        self.messages_per_day = messages_per_day
        self.now = now
        self.people = People(market, now=now)
        self.catalogue: Catalogue = default_catalogue(market, now)
        self.received: dict[str, dict[int, Receipt]] = {}
        self.entered: dict[str, dict[int, datetime]] = {}
        self.stepped: dict[tuple[str, str], dict[int, datetime]] = {}
        self.flags: dict[tuple[str, str], set[int]] = {}
        self.figures: dict[date, Counter[tuple[Way, str]]] = {}
        self.revenue: dict[date, Counter[Way]] = {}
        self.late: list[Any] = []  # Currents events that are held back
        self.unsubscribed_at: dict[str, datetime] = {}
        self.lines: deque[bytes] = deque(maxlen=JOURNAL_LINES)
        self.seen: deque[Seen] = deque(maxlen=JOURNAL_LINES)
        self.faults: dict[str, deque[str]] = {}  # by path; empty: any path that sends
        self.ways: list[Way] = []
        self.journal = journal
        self.diary = Diary()
        self.schedules: dict[str, Schedule] = {}
        self.exports = Exports()
        self.logs: dict[date, DayLog] = {}
        self._numbered: dict[Way, int] = {}
        self._ways: dict[tuple[str, ...], list[int]] = {}
        self._accepted = 0
        self._per_day: dict[date, Counter[int]] = {}  # kept only where there is a cap
        dimensions = market.space.dimensions
        self._names = [d.name for d in dimensions]
        self._options = [_numbered(d.options) for d in dimensions]
        self._nothing = [-1] * len(dimensions)
        self._actions: dict[tuple[object, ...], list[int]] = {}

    def move(self, now: datetime) -> None:
        """Put the clock to ``now``; what is due by then happens first, each at its own time."""
        while (entry := self.diary.take(now)) is not None:
            due, act = entry
            self.now = max(self.now, due)
            act()
        self.now = now

    def accept(self, call: SendCall, chosen: Chosen | None = None) -> None:
        """Write the call to the journal, then let it take effect."""
        line = msgspec.json.encode(call)
        self.journal.append(line)
        self.remember(call, line, chosen)

    def remember(self, call: SendCall, line: bytes, chosen: Chosen | None = None) -> None:
        """Let a call that is in the journal take effect.

        ``chosen`` has the user and the variation of each message, where they are known already.
        """
        self.lines.append(line)
        if chosen is None:
            choose = self._chooser(call)
            chosen = [self._number(one) for one in call.messages], list(map(choose, call.messages))
        numbers, variations = chosen
        log = self.logs.setdefault(call.at.date(), DayLog())
        ways = self._ways_of(call)
        taken = [ways[place] if place < len(ways) else ways[0] for place in variations]
        receipts = {way: (call.at, way) for way in ways}
        received = self.received.setdefault(call.campaign_id or call.canvas_id, {})
        received.update(zip(numbers, map(receipts.__getitem__, taken), strict=True))
        users, options, names = log.users, log.options, self._names
        users.extend(numbers)
        log.ways.extend(taken)
        told, action = log.decision_ids, self._action
        for message in call.messages:
            named = message.trigger_properties.get
            options.extend(action(tuple([named(name) for name in names])))
            decision_id = named("decision_id")
            told.append(decision_id if isinstance(decision_id, str) else None)
        count = len(call.messages)
        if self.messages_per_day is not None:
            counts = self._per_day.setdefault(call.at.date(), Counter())
            counts.update(users[len(users) - count :])
        log.places.extend(range(count))
        log.calls.extend([self._accepted] * count)
        log.dispatch_ids.extend([call.dispatch_id] * count)
        if call.canvas_id:
            self._step(call, users[len(users) - count :])
        self._accepted += 1

    def next_fault(self, path: str) -> str | None:
        """What is to go wrong with this call, which is used up by that."""
        queue = self.faults.get(path)
        if not queue and path in SENDING_PATHS:
            queue = self.faults.get("")
        return queue.popleft() if queue else None

    def variations_of(self, call: SendCall) -> tuple[Variation, ...]:
        """What the call could say; nothing when it was said in an earlier life."""
        return self.catalogue.contents.get(call.content_id, ())

    def place_of(self, call: SendCall, message: Message) -> int:
        """Which of the variations of its call the message is."""
        return self._chooser(call)(message)

    def create(self, name: str | None, made: str | None = None) -> int:
        """Add a user, as of now."""
        return self.people.create(name, now=self.now, made=made)

    def flag(self, key: tuple[str, str], numbers: Iterable[int]) -> None:
        """Mark these users for good: (campaign, flag), for instance as having opened an email."""
        self.flags.setdefault(key, set()).update(numbers)

    def received_on(self, day: date, number: int) -> int:
        """How many messages a user got on a day, where there is a frequency cap."""
        counts = self._per_day.get(day)
        return 0 if counts is None else counts[number]

    def users_of(self, day: date) -> NDArray[np.int64]:
        """The user number of every message of the day."""
        log = self.logs.get(day)
        return np.array(log.users if log else [], dtype=np.int64)

    def days(self) -> list[date]:
        """The days on which anything was sent, in order."""
        return sorted(self.logs)

    def sends_of(self, day: date) -> DaySends:
        """A copy of the day's messages to customers of the market."""
        log = self.logs.get(day, DayLog())
        rows = np.array(log.users, dtype=np.int64)
        actions = np.array(log.options, dtype=np.int16).reshape(len(rows), len(self._options))
        known = rows < len(self.market.user_ids)
        kept = np.flatnonzero(known).tolist()
        return DaySends(
            rows=rows[known],
            actions=actions[known],
            ways=np.array(log.ways, dtype=np.int32)[known],
            known_ways=list(self.ways),
            decision_ids=[log.decision_ids[index] for index in kept],
            dispatch_ids=[log.dispatch_ids[index] for index in kept],
        )

    def close(self) -> None:
        """Close the journal file, and throw exported files away."""
        self.journal.close()
        self.exports.close()

    def _number(self, message: Message) -> int:
        """The user of a message; one of an earlier life is made anew."""
        name = message.external_user_id
        if name:
            number = self.people.numbers.get(name)
            return self.create(name) if number is None else number
        number = self.people.by_braze_id.get(message.braze_id)
        return self.create(None, message.braze_id) if number is None else number

    def _chooser(self, call: SendCall) -> _Chooser:
        sender = self.catalogue.campaigns.get(call.campaign_id)
        journey = self.catalogue.canvases.get(call.canvas_id)
        named = sender or journey
        return _Chooser(named.channel_property if named else "", self.variations_of(call))

    def _ways_of(self, call: SendCall) -> list[int]:
        """The way of each variation of the call; of one when nothing is known of them."""
        key = (call.campaign_id, call.canvas_id, call.step_id, call.send_id, call.content_id)
        known = self._ways.get(key)
        if known is None:
            known = self._ways[key] = [
                self._way(
                    Way(
                        campaign_id=call.campaign_id,
                        canvas_id=call.canvas_id,
                        step_id=call.step_id,
                        variation_id=variation.id,
                        channel=variation.channel,
                        send_id=call.send_id,
                    )
                )
                for variation in self.variations_of(call) or _UNKNOWN
            ]
        return known

    def _way(self, way: Way) -> int:
        number = self._numbered.get(way)
        if number is None:
            number = self._numbered[way] = len(self.ways)
            self.ways.append(way)
        return number

    def _step(self, call: SendCall, numbers: Iterable[int]) -> None:
        canvas = self.catalogue.canvases.get(call.canvas_id)
        first = canvas is None or any(call.step_id in one.first_step_ids for one in canvas.variants)
        stepped = self.stepped.setdefault((call.canvas_id, call.step_id), {})
        entered = self.entered.setdefault(call.canvas_id, {})
        for number in numbers:
            stepped[number] = call.at
            if first:
                entered[number] = call.at

    def _action(self, named: tuple[object, ...]) -> Sequence[int]:
        """Option indices; all -1 unless every dimension names a known option."""
        try:
            known = self._actions.get(named)
        except TypeError:  # a list or an object names no option
            return self._nothing
        if known is None:
            known = [of.get(name, -1) for of, name in zip(self._options, named, strict=True)]
            if -1 in known:
                return self._nothing
            self._actions[named] = known
        return known


def _numbered(options: Iterable[str]) -> dict[object, int]:
    return {option: index for index, option in enumerate(options)}


_UNKNOWN = (Variation(id="", channel="email"),)


class _Chooser:
    """The variation that a message's property asks for; the first when it asks for none."""

    __slots__ = ("_places", "_property")

    def __init__(self, name: str, variations: Sequence[Variation]) -> None:
        self._property = name
        self._places = {one.value: place for place, one in enumerate(variations) if one.value}

    def __call__(self, message: Message) -> int:
        if message.variation >= 0:
            return message.variation
        asked = message.trigger_properties.get(self._property)
        return self._places.get(asked, 0) if isinstance(asked, str) else 0


def open_workspace(config: SandboxConfig) -> Workspace:
    """The market's customers, and whatever the journal file remembers of them."""
    if config.market not in MARKETS:
        raise UnknownMarket(
            f"There is no market {config.market!r}. {nearest(config.market, MARKETS)}"
        )
    calls = recall(config.journal)
    workspace = Workspace(
        MARKETS[config.market](customers=config.customers, seed=config.seed),
        now=datetime.combine(config.start, time(), UTC),
        journal=Journal(config.journal, [line for line, _ in calls]),
        messages_per_day=config.messages_per_day,
    )
    for campaign in workspace.catalogue.campaigns.values():
        workspace.catalogue.keep(campaign.variations)
    for canvas in workspace.catalogue.canvases.values():
        for step in canvas.steps:
            workspace.catalogue.keep(step.variations)
    for line, call in calls:
        workspace.remember(call, line)
        workspace.now = max(workspace.now, call.at)
    return workspace
