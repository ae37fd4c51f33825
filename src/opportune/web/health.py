"""The health page: what waits, how late, how large, and the command beside each figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from opportune import pipeline, reports
from opportune.reports import Health
from opportune.web import bars, pages
from opportune.web.asking import Asked, Shown
from opportune.web.dot import BEHIND_BYTES

__all__ = ["health", "troubles"]

LATE_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that is not as it should be, and the command that helps."""

    words: str
    command: str


def health(asked: Asked) -> Shown:
    """Show how the program is."""
    found = reports.health(asked.stores, now=asked.now)
    works = pipeline.somebody_ingests(asked.stores.settings)
    arrived = [each.accepted + each.rejected for each in found.minutes]
    context = {
        "health": found,
        "works": works,
        "troubles": list(troubles(found, works=works)),
        "chart": bars.by_minute(found.minutes, chart="received"),
        "received": sum(arrived),
        "busiest": max(arrived),
        "address": asked.address,
    }
    return Shown(body=pages.render("health.html", asked.frame, context))


def troubles(found: Health, *, works: bool) -> Iterator[Trouble]:
    """Say what is wrong, the worst first."""
    waiting = max(found.behind_bytes.values())
    if not works:
        yield Trouble(
            words="No worker runs for this data folder: events are accepted and wait in the log, "
            "and nothing is sent.",
            command="opportune worker",
        )
    elif waiting > BEHIND_BYTES:
        yield Trouble(
            words="Events arrive faster than they are taken in. Nothing is lost; segments and "
            "sends come late.",
            command="opportune worker",
        )
    if found.outbox_late_s > LATE_S:
        yield Trouble(
            words="Recommendations that are due have not been handed over.",
            command="opportune worker",
        )
    failing = sum(each.failing for each in found.jobs)
    if failing:
        yield Trouble(
            words=f"{failing} of the open jobs failed when they were tried last; they are tried "
            "again.",
            command="opportune worker",
        )
