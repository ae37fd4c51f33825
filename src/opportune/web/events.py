"""What arrives: the newest events, the catalogue, and what was refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlencode

from opportune import events, project, reports
from opportune.events import Refusal, RejectFilter, SeenEvent, TailRow
from opportune.web import bars, pages
from opportune.web.asking import Asked, Moved, Shown

__all__ = ["allow", "catalogue", "catalogue_event", "live", "live_rows", "rejected", "replay"]

SHOWN_ROWS = 100
REJECTS_PAGE = 50
FILTERS = ("source", "event", "user")


def live(asked: Asked) -> Shown:
    """Show the newest events, and how many came in each minute of the last hour."""
    rows = _tail(asked, after=0)[-SHOWN_ROWS:]
    by_minute = events.minutes(asked.stores.state, now=asked.now)
    context = {
        "rows": rows[::-1],
        "next": _next(rows, 0),
        "chosen": _chosen(asked, FILTERS),
        "sources": sorted({each.source_id for each in _seen(asked)}),
        "accepted": sum(each.accepted for each in by_minute),
        "refused": sum(each.rejected for each in by_minute),
        "chart": bars.by_minute(by_minute, chart="received"),
        "minutes": [each for each in by_minute if each.accepted or each.rejected],
        "address": asked.address,
        "filter": urlencode(_chosen(asked, FILTERS)),
        "filters": any(_chosen(asked, FILTERS).values()),
    }
    return Shown(body=pages.render("live.html", asked.frame, context))


def live_rows(asked: Asked) -> Shown:
    """Show the rows that came after a place, for the script that follows them."""
    after = int(given) if (given := asked.query.get("after")).isdecimal() else 0
    rows = _tail(asked, after=min(after, 2**62))
    body = pages.render("live_rows.html", asked.frame, {"rows": rows[::-1]})
    return Shown(body=body, headers={"X-Next": str(_next(rows, after))})


def catalogue(asked: Asked) -> Shown:
    """Show every event that was ever seen."""
    used = reports.usage(project.read(asked.stores.state))
    seen = _seen(asked)
    wanted = asked.query.get("q").casefold()
    shown = [each for each in seen if wanted in each.event.casefold()]
    context = {
        "seen": shown,
        "every": len(seen),
        "wanted": asked.query.get("q"),
        "used": used.events,
        "most": max((each.events_7d for each in seen), default=0),
        "day": sum(each.events_24h for each in seen),
    }
    return Shown(body=pages.render("catalogue.html", asked.frame, context))


def catalogue_event(asked: Asked) -> Shown:
    """Show one event with its fields. Raises ``UnknownEvent`` with the nearest name."""
    name = asked.path["event"]
    defined = project.read(asked.stores.state)
    used = reports.usage(defined)
    found = events.seen_event(asked.stores.state, name, now=asked.now)
    fields = events.seen_fields(asked.stores.state, found, declared=defined.classes)
    context = {
        "name": name,
        "found": found,
        "fields": [
            {
                "seen": each,
                "types": _types(each.types),
                "used": used.of_field(each.kind, name, each.name),
            }
            for each in fields
        ],
        "used": used.of_event(name),
    }
    return Shown(body=pages.render("catalogue_event.html", asked.frame, context))


def rejected(asked: Asked) -> Shown:
    """Show what was refused and why, the newest first."""
    chosen = RejectFilter(
        code=asked.query.get("code") or None,
        source=asked.query.get("source") or None,
        event=asked.query.get("event") or None,
        open_only=asked.query.get("open") == "1",
    )
    before = asked.query.get("before") or None
    found = events.rejects(asked.stores, chosen, before=before, rows=REJECTS_PAGE)
    filters = _chosen(asked, ("code", "source", "event", "open"))
    more = {**filters, "before": found[-1].reject_id} if len(found) == REJECTS_PAGE else {}
    context = {
        "found": [
            {"refusal": each, "payload": _readable(each.payload), "allows": _allows(each)}
            for each in found
        ],
        "chosen": filters,
        "filters": any(filters.values()),
        "codes": sorted({each.code for each in found} | ({chosen.code} if chosen.code else set())),
        "first": before is None,
        "more": urlencode(more),
        "sent": asked.query.get("sent"),
        "written": asked.query.get("written"),
        "unusable": asked.query.get("unusable"),
    }
    return Shown(body=pages.render("rejected.html", asked.frame, context))


def replay(asked: Asked) -> Moved:
    """Send the chosen rejects again. Raises ``NothingChosen`` where none is."""
    done = events.replay(
        asked.stores, list(asked.form.all("id")), sent_at_us=time.time_ns() // 1000
    )
    told = {"sent": len(done.sent), "unusable": len(done.unusable)}
    return Moved(to=f"/live/rejected?{urlencode(told)}")


def allow(asked: Asked) -> Moved:
    """Accept from now on what a tracking plan refused. Raises ``NothingToAllow``."""
    said = dict(parse_qsl(asked.form.get("allows")))
    if said.get("code") not in project.ALLOWABLE:
        raise project.NothingToAllow("Only what a tracking plan refused can be accepted like this.")
    written = project.allow(
        asked.stores.state,
        said.get("source", ""),
        said["code"],
        said.get("event", ""),
        now=asked.now,
    )
    told = {"code": said["code"], "open": "1", "written": ", ".join(written)}
    return Moved(to=f"/live/rejected?{urlencode(told)}")


def _allows(each: Refusal) -> str:
    """Return what the button of a refusal says of it; empty where no plan refused it."""
    if each.code not in project.ALLOWABLE or each.index < 0 or each.state == "replayed":
        return ""
    return urlencode({"code": each.code, "source": each.source_id, "event": each.event or ""})


def _tail(asked: Asked, *, after: int) -> list[TailRow]:
    source, event, user = (asked.query.get(name) or None for name in FILTERS)
    return events.tail(asked.stores.state, after=after, source=source, event=event, user=user)


def _next(rows: Iterable[TailRow], after: int) -> int:
    return max([after, *(row.place for row in rows)])


def _seen(asked: Asked) -> list[SeenEvent]:
    return events.seen_events(asked.stores.state, now=asked.now)


def _chosen(asked: Asked, names: Iterable[str]) -> dict[str, str]:
    return {name: asked.query.get(name) for name in names}


def _types(types: Mapping[str, int]) -> str:
    """Write the JSON types of a field, the most frequent first."""
    return ", ".join(sorted(types, key=lambda name: -types[name]))


def _readable(payload: str) -> str:
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except ValueError:
        return payload
