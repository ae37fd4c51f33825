"""For whoever runs it: alive, ready, and a few figures in the text format of Prometheus."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from opportune import reports
from opportune.api.errors import answer
from opportune.decisions import SENT, UNSENT
from opportune.errors import OpportuneError
from opportune.storage import Stores, load_sql

__all__ = [
    "DECIDED",
    "METRICS",
    "RETRIED",
    "TEXT_FORMAT",
    "TIME_ZONE_DEFAULT",
    "TURNED_AWAY",
    "UNKNOWN_SOURCE",
    "Counts",
    "counted",
    "operation_routes",
]

UNKNOWN_SOURCE = "opportune_requests_unknown_source_total"
RETRIED = "opportune_requests_retried_total"
TURNED_AWAY = "opportune_requests_turned_away_total"
TIME_ZONE_DEFAULT = "opportune_time_zone_default_total"
DECIDED = "opportune_decisions_on_request_total"
METRICS: Mapping[str, str] = {
    "opportune_up": "Whether a part answers: 1 or 0.",
    "opportune_outbox": "Recommendations and messages to destinations by what became of them.",
    "opportune_destination": "Messages to each destination by what became of them.",
    "opportune_jobs": "Jobs by whether they are done.",
    "opportune_privacy_requests": "Requests to be forgotten by state.",
    "opportune_profiles_expired_total": "Anonymous profiles that expired.",
    "opportune_log_bytes_behind": "Bytes of the log that a reader has not taken in yet.",
    UNKNOWN_SOURCE: "Requests with an unknown write key: refused, or dropped where "
    "OPPORTUNE_SEGMENT_COMPATIBLE says so.",
    RETRIED: "Requests whose client says (X-Retry-Count) that it had sent them before.",
    TURNED_AWAY: "Requests answered with 429, because too much was waiting for the disk.",
    DECIDED: "Decisions that were asked for, by what came of it: treatment, random, control, "
    "dry_run or refused.",
    TIME_ZONE_DEFAULT: "Profiles that were answered with the default time zone, because theirs is "
    "missing or wrong.",
}
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"

# A sample: its labels, and its value.
Samples = Sequence[tuple[Mapping[str, str], float]]
# What happened in this process since it began, by the name of its metric.
Counts = Counter[str]


def operation_routes(stores: Stores, counts: Counts) -> Sequence[Route]:
    """Return ``/healthz`` (this process runs), ``/readyz`` (it can read) and ``/metrics``."""

    def ready(_: Request) -> Response:
        problems = [
            name
            for name, works in (("database", _database(stores)), ("lake", _lake(stores)))
            if not works
        ]
        if problems:
            missing = " and ".join(problems)
            return answer(
                503,
                code="not_ready",
                message=f"Not reachable: {missing}. Events are still accepted; try again later.",
            )
        return JSONResponse({"status": "ok", "database": "ok", "lake": "ok"})

    def metrics(_: Request) -> Response:
        text = "".join((*counted(counts), *_exposition(stores)))
        return PlainTextResponse(text, media_type=TEXT_FORMAT)

    return (
        Route("/healthz", _healthy),
        Route("/readyz", ready),
        Route("/metrics", metrics),
    )


def counted(counts: Counts) -> Iterator[str]:
    """Write ``counts`` in the text format."""
    for name in (UNKNOWN_SOURCE, RETRIED, TURNED_AWAY):
        yield from _figure(name, [({}, counts[name])], kind="counter")
    zones = [
        ({"reason": reason}, counts[f"{TIME_ZONE_DEFAULT}:{reason}"])
        for reason in ("missing", "wrong")
    ]
    yield from _figure(TIME_ZONE_DEFAULT, zones, kind="counter")
    decided = [
        ({"outcome": outcome}, counts[f"{DECIDED}:{outcome}"])
        for outcome in (*SENT, *UNSENT, "dry_run", "refused")
    ]
    yield from _figure(DECIDED, decided, kind="counter")


def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _database(stores: Stores) -> bool:
    try:
        stores.state.rows(load_sql("opportune.api", "alive"))
    except OpportuneError:
        return False
    return True


def _lake(stores: Stores) -> bool:
    """Whether the folder can be read, or made where it is not there yet."""
    folder = stores.settings.lake_folder
    if folder.exists():
        return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
    return os.access(_nearest_parent(folder), os.W_OK | os.X_OK)


def _nearest_parent(folder: Path) -> Path:
    return next(parent for parent in folder.absolute().parents if parent.exists())


def _exposition(stores: Stores) -> Iterator[str]:
    up = _database(stores)
    yield from _gauge(
        "opportune_up",
        [({"part": "database"}, up), ({"part": "lake"}, _lake(stores))],
    )
    if not up:
        return
    rows = stores.state.rows(load_sql("opportune.api", "gauges"))
    for gauge in ("outbox", "jobs", "privacy_requests"):
        samples = [({"state": row["state"]}, row["count"]) for row in rows if row["gauge"] == gauge]
        yield from _gauge(f"opportune_{gauge}", samples)
    sent_on = stores.state.rows(load_sql("opportune.api", "destination_gauges"))
    yield from _gauge(
        "opportune_destination",
        [
            ({"destination": row["destination"], "state": row["state"]}, row["count"])
            for row in sent_on
        ],
    )
    expired: Samples = [({}, row["count"]) for row in rows if row["gauge"] == "profiles_expired"]
    yield from _figure("opportune_profiles_expired_total", expired, kind="counter")
    yield from _gauge(
        "opportune_log_bytes_behind",
        [({"reader": reader}, behind) for reader, behind in reports.behind(stores).items()],
    )


def _gauge(name: str, samples: Samples) -> Iterator[str]:
    return _figure(name, samples, kind="gauge")


def _figure(name: str, samples: Samples, *, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {METRICS[name]}\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        written = ",".join(f'{label}="{text}"' for label, text in labels.items())
        yield f"{name}{{{written}}} {value:.15g}\n"
