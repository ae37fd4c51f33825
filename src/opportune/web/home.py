"""Home: what changed, what needs somebody, and the figures above all use cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote

from opportune import events, pipeline, profiles, project, reports
from opportune.events import SeenEvent
from opportune.profiles import PeopleFilter, PeopleOrder, Picked
from opportune.project import Project
from opportune.reports import Health, Incident, Standing
from opportune.web import bars, pages
from opportune.web.asking import Asked, Shown
from opportune.web.health import troubles
from opportune.web.list_address import ListAddress
from opportune.web.words import as_of, count, total

__all__ = ["Need", "Story", "home", "standings"]

MOST_STORIES = 3
MOST_CHANGES = 8
WEEK = timedelta(days=7)
STALE = timedelta(days=1)
UNSUBSCRIBES = "unsubscri"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One sentence of what changed, and where it is shown."""

    words: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that needs somebody: in words, where it is shown, and the command that helps."""

    words: str
    address: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What all use cases with one unit earned beyond control, and between what at the least."""

    unit: str
    value: float
    low: float
    high: float
    use_cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that happened to a use case."""

    title: str
    address: str
    what: Incident


def home(asked: Asked) -> Shown:
    """Show what changed and what needs somebody."""
    state = asked.stores.state
    defined = project.read(state)
    seen = events.seen_events(state, now=asked.now)
    if not defined.use_cases and not seen:
        start = pages.render("start.html", asked.frame, {"address": asked.address})
        return Shown(body=start)
    found = standings(asked, defined)
    by_minute = events.minutes(state, now=asked.now)
    health = reports.health(asked.stores, now=asked.now)
    refused = sum(each.rejected for each in by_minute)
    sends = _by_day(found, asked.now.date())
    context = {
        "standings": found,
        "stories": list(_stories(found, sends))[:MOST_STORIES],
        "needs": list(_needs(found, health, refused, asked=asked, seen=bool(seen))),
        "sums": _sums(found),
        "sends": sends,
        "sends_now": sum(sends[-7:]),
        "sends_before": sum(sends[:-7]),
        "sends_trend": bars.trend(sends, words="Messages a day, the last 14 days"),
        "accepted": sum(each.accepted for each in by_minute),
        "refused": refused,
        "people": profiles.count_people(state),
        "active": profiles.count_active(state, since=asked.now - WEEK),
        "active_link": _active(asked),
        "segments": len(defined.segments),
        "trend": bars.trend(
            [each.accepted for each in by_minute], words="Messages in each minute of the last hour"
        ),
        "unsubscribes": _unsubscribes(seen),
        "changes": _changes(asked, defined),
    }
    return Shown(body=pages.render("home.html", asked.frame, context))


def _active(asked: Asked) -> str:
    """The list of whoever did anything in the last week; what comes in meanwhile is there too."""
    since, until = (asked.now - WEEK).timestamp(), (asked.now + STALE).timestamp()
    lately = Picked(part="range", by="last_seen", low=since, high=until)
    return ListAddress(chosen=PeopleFilter(picked=lately), order=PeopleOrder()).at()


def standings(asked: Asked, defined: Project) -> list[Standing]:
    """How every use case stands, by name."""
    return [
        reports.standing(asked.stores, each, defined.metric_of(each), now=asked.now)
        for each in defined.use_cases.values()
    ]


def _stories(found: Sequence[Standing], sends: Sequence[int]) -> Iterator[Story]:
    """What can be said for sure first, by how much it is about; then what goes on."""
    sure = [each for each in found if each.verdict in ("better", "worse") and each.earned]
    sure.sort(key=lambda each: (-abs(each.earned.value if each.earned else 0.0), each.use_case))
    for each in sure:
        earned = each.earned
        if earned is None:
            continue
        way = "earned" if each.verdict == "better" else "lost"
        low, high = sorted((abs(earned.low), abs(earned.high)))
        yield Story(
            words=(
                f"{each.title} {way} {total(abs(earned.value))} {each.metric.unit} beyond its "
                f"control group (between {total(low)} and {total(high)})."
            ),
            address=_address(each),
        )
    now, before = sum(sends[-7:]), sum(sends[:-7])
    if now or before:
        than = f", after {count(before)} in the week before" if before else ""
        yield Story(
            words=f"{count(now)} messages were decided to be sent in the last 7 days{than}.",
            address="/use-cases",
        )
    for each in found:
        if each.verdict not in ("better", "worse") and each.state in ("live", "shadow"):
            yield Story(words=f"{each.title}: {each.answer}", address=_address(each))


def _needs(
    found: Sequence[Standing], health: Health, refused: int, *, asked: Asked, seen: bool
) -> Iterator[Need]:
    """What needs somebody, what does harm first."""
    for each in found:
        if each.stopped:
            words = f"{each.title} is stopped: {each.stopped}"
            yield Need(words=words, address=f"{_address(each)}/state")
        if each.groups_off:
            words = f"{each.title}: its groups have not the sizes they were meant to have."
            yield Need(words=words, address=f"{_address(each)}/groups")
    if seen:
        works = pipeline.somebody_ingests(asked.stores.settings)
        for trouble in troubles(health, works=works):
            yield Need(words=trouble.words, address="/health", command=trouble.command)
    yield from _unsent(health)
    if refused:
        words = f"{count(refused)} messages were refused in the last hour."
        yield Need(words=words, address="/live/rejected")
    newest = health.newest_received_at
    if newest is not None and asked.now - newest > STALE:
        words = f"No event has arrived since {as_of(newest)}: features are as old as that."
        yield Need(words=words, address="/live")
    yield from _idle(found, asked.now.date())


def _unsent(health: Health) -> Iterator[Need]:
    counts = {each.state: each.count for each in health.outbox}
    if counts.get("failed"):
        words = f"{count(counts['failed'])} messages could not be sent."
        yield Need(words=words, address="/health")
    if counts.get("unknown"):
        words = f"{count(counts['unknown'])} messages wait for an answer: sent, or not, is unknown."
        yield Need(words=words, address="/health")


def _idle(found: Sequence[Standing], today: date) -> Iterator[Need]:
    for each in found:
        if each.state == "draft":
            words = f"{each.title} is a draft: it decides nothing until it is started."
            yield Need(words=words, address=f"{_address(each)}/edit")
        elif each.state == "live" and (each.last_day is None or today - each.last_day > STALE):
            since = "" if each.last_day is None else f" since {each.last_day}"
            words = f"{each.title} is live and has decided nothing{since or ' yet'}."
            yield Need(words=words, address=f"{_address(each)}/health")


def _by_day(found: Sequence[Standing], today: date) -> list[int]:
    """Messages of the last 14 days, the oldest first."""
    sends: Counter[date] = Counter()
    for each in found:
        sends.update(each.sends)
    return [sends[today - timedelta(days=13 - place)] for place in range(14)]


def _sums(found: Sequence[Standing]) -> list[Sum]:
    """What was earned beyond control, by unit: bounds added up, so that they are on the safe side.

    Each holds by itself; together they are wider than an interval of the sum would be.
    """
    units: dict[str, list[reports.Earned]] = {}
    for each in found:
        if each.earned is not None:
            units.setdefault(each.metric.unit, []).append(each.earned)
    return [
        Sum(
            unit=unit,
            value=sum(each.value for each in earned),
            low=sum(each.low for each in earned),
            high=sum(each.high for each in earned),
            use_cases=len(earned),
        )
        for unit, earned in sorted(units.items())
    ]


def _unsubscribes(seen: Sequence[SeenEvent]) -> Mapping[str, object] | None:
    """Events that say so by their name, in 24 hours and 7 days; None where none was ever seen."""
    told = [each for each in seen if UNSUBSCRIBES in each.event.lower()]
    if not told:
        return None
    day, week = sum(each.events_24h for each in told), sum(each.events_7d for each in told)
    return {"day": day, "week": week, "a_day": week / 7}


def _changes(asked: Asked, defined: Project) -> list[Change]:
    """The last versions, states and stops of all use cases, the newest first."""
    found = [
        Change(title=each.title, address=f"/use-cases/{quote(each.name)}/timeline", what=incident)
        for each in defined.use_cases.values()
        for incident in reports.use_case_timeline(
            asked.stores.state, each.name, now=asked.now
        ).incidents
        if incident.kind != "trained"
    ]
    return sorted(found, key=lambda each: each.what.at, reverse=True)[:MOST_CHANGES]


def _address(each: Standing) -> str:
    return f"/use-cases/{quote(each.use_case)}"
