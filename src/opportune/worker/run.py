"""Round after round: takes in the log, decides the day, hands over what the outbox holds."""

from __future__ import annotations

import secrets
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import UTC, date, datetime
from functools import partial

import msgspec

from opportune import activation, events, pipeline, privacy, profiles, project
from opportune.activation.connectors import connector
from opportune.decisions import UseCase
from opportune.events import history
from opportune.storage import DatabaseUnavailable, Stores, load_sql
from opportune.telemetry import Troubles, pause_s
from opportune.worker.beside import beside_rounds
from opportune.worker.hand_over import channels, close_channels, hand_over
from opportune.worker.model import Clock, Worker
from opportune.worker.publishing import publish

__all__ = ["decoders", "run", "simulated_clock"]

LOCK = pipeline.WORKER_LOCK
DECIDE_DAY = "decide_day"
COMPUTE_TRAITS = "compute_traits"
EXPIRE = "expire"
JOB_LEASE_S = 3600.0
RETRY_S = 1.0
FULL_FRAMES = 64
# While there is other work, a trickle of events is gathered this long: one commit and not fifty.
MICRO_BATCH_S = 0.4
LANES = 2  # while the calls of one batch are under way, the database settles the one before


def run(stores: Stores, *, clock: Clock, stop: threading.Event, tick_s: float = 0.2) -> None:
    """Work until ``stop`` is set. Waits while another worker is alive.

    While the database is away, the lake goes on taking events in; everything else waits for it.
    """
    troubles = Troubles(passed_on=DatabaseUnavailable)
    worker: Worker | None = None
    with ExitStack() as stack:
        while not stop.is_set():
            try:
                with stores.state.lock(LOCK) as alone:
                    if alone:
                        session = _lock_holder(stores)
                        worker = worker or _start(stores, clock, stop, stack, troubles)
                        _work(worker, tick_s=tick_s, session=session)
                    elif worker is not None:
                        # Another one took over while the database was away: let it ingest.
                        worker = None
                        stack.close()
                stop.wait(tick_s)
            except Exception as error:
                troubles.tell("worker", error)
                if worker is not None:
                    _store_meanwhile(worker)
                stop.wait(RETRY_S)


def simulated_clock(stores: Stores) -> Clock:
    """A clock that somebody else moves by a row in State: for the demo and for tests."""

    def now() -> datetime:
        rows = stores.state.rows(load_sql("opportune", "simulated_now"))
        moment: datetime = rows[0]["now"] if rows else datetime.fromtimestamp(0, UTC)
        return moment

    return now


def _start(
    stores: Stores,
    clock: Clock,
    stop: threading.Event,
    stack: ExitStack,
    troubles: Troubles,
) -> Worker:
    with ExitStack() as parts:
        ingest = pipeline.Ingest(stores, decoders(stores), clock=clock)
        parts.callback(ingest.close)
        pipeline.drop_rebuild(stores.state)
        worker = Worker(
            stores=stores,
            ingest=ingest,
            log=stores.open_log(parts),
            clock=clock,
            calls=parts.enter_context(ThreadPoolExecutor(activation.CALLS_AT_ONCE)),
            lanes=parts.enter_context(ThreadPoolExecutor(LANES)),
            aside=parts.enter_context(ThreadPoolExecutor(2)),
            stop=stop,
            troubles=troubles,
        )
        parts.callback(close_channels, worker)
        stack.enter_context(parts.pop_all())
    return worker


def decoders(stores: Stores) -> dict[str, events.Decoder]:
    """Return what decodes each kind of frame that the log may hold."""
    segment = partial(events.decode_segment, limits=events.limits(stores.settings))
    return {
        **dict.fromkeys(events.KINDS, segment),
        "currents": connector("braze").decode,
        history.KIND: history.decode_refused,
        events.OWN: events.decode_own,
    }


def _work(worker: Worker, *, tick_s: float, session: list[dict[str, object]]) -> None:
    """Take over what the last worker had in hand, then do round after round.

    ``session`` holds the lock; once it has ended, another worker may have begun.
    """
    state = worker.stores.state
    settle_s = worker.stores.settings.braze_settle_s
    activation.abandon(state, settle_s=settle_s, takeover=True)
    state.rows(load_sql("opportune", "release_jobs"), {"longest_s": JOB_LEASE_S})
    worker.troubles.attempt("privacy", partial(_forget_again, worker), 0)
    definitions = project.Project(metrics={}, segments={}, use_cases={})
    reader = project.Reader(state)
    beside = beside_rounds(worker)
    while not worker.stop.is_set():
        definitions = worker.troubles.attempt("definitions", reader.read, definitions)
        for each in beside:
            each.go_on(definitions)
        ingested = _ingest(worker)
        busy = _round(worker, definitions)
        busy |= worker.troubles.attempt("privacy", partial(_forget, worker, definitions), False)
        if not busy and ingested < FULL_FRAMES:
            worker.stop.wait(tick_s)
        if not session or _lock_holder(worker.stores) != session:
            raise DatabaseUnavailable(
                "The session that held the worker's lock has ended, as when PostgreSQL restarts; "
                "the lock is taken again, and nothing was lost."
            )


def _ingest(worker: Worker) -> int:
    return worker.troubles.attempt("ingest", worker.ingest.tick, 0)


def _forget_again(worker: Worker) -> int:
    """Ask to forget whom a restored backup brought back."""
    worker.ingest.reload()
    return privacy.ask_again(
        worker.stores, now=worker.clock(), new_id=lambda: uuid.uuid4().hex, lake=False
    )


def _forget(worker: Worker, definitions: project.Project) -> bool:
    """Carry out what was asked for; nothing is taken in, decided or sent meanwhile."""
    now = worker.clock()
    if not privacy.is_asked(worker.stores, now=now):
        return False
    kept = privacy.kept_fields(definitions)
    done = privacy.carry_out(
        worker.stores,
        worker.ingest,
        kept=kept,
        secret=secrets.token_hex(32),
        now=now,
    )
    return bool(done)


def _lock_holder(stores: Stores) -> list[dict[str, object]]:
    return stores.state.rows(load_sql("opportune", "worker_lock"), {"name": LOCK})


def _round(worker: Worker, definitions: project.Project) -> bool:
    """Do a little of everything; True when there was something to do besides ingest."""
    settle_s = worker.stores.settings.braze_settle_s
    now = worker.clock()
    for use_case in definitions.use_cases.values():
        _schedule(worker.stores, use_case, now)
    _cancel_held(worker, definitions, now)
    if definitions.computed_traits:
        _schedule_computing(worker.stores, now)
    if worker.stores.settings.expire_after_days:
        _schedule_expiry(worker.stores, now)
    busy = _run_job(worker, definitions, now)
    activation.abandon(worker.stores.state, settle_s=settle_s, takeover=False)
    lanes = [worker.lanes.submit(publish, worker, definitions, now)]
    lanes += [
        worker.lanes.submit(hand_over, worker, channel, now)
        for channel in channels(worker, definitions)
        for _ in range(LANES)
    ]
    try:
        while wait(lanes, timeout=MICRO_BATCH_S).not_done:
            _ingest(worker)
    finally:
        wait(lanes)
    had_work = [lane.result() for lane in lanes]
    return busy or any(had_work)


def _schedule(stores: Stores, use_case: UseCase, now: datetime) -> None:
    due_at = use_case.decided_from(now.date())
    if now < due_at:
        return
    payload = {"use_case": use_case.name, "day": now.date().isoformat()}
    # The rewards of what a paused one decided go on; started that day, it has it to decide.
    only = "" if use_case.decides else ":rewards"
    _add_job(stores, DECIDE_DAY, f"{use_case.name}:{now.date()}{only}", payload, due_at)


def _cancel_held(worker: Worker, definitions: project.Project, now: datetime) -> None:
    held = [each.name for each in definitions.use_cases.values() if each.state != "live"]
    if held:
        cancel = partial(activation.cancel_held, worker.stores.state, held, now=now)
        worker.troubles.attempt("cancel", cancel, 0)


def _schedule_expiry(stores: Stores, now: datetime) -> None:
    due_at = now.replace(hour=0, minute=0, second=0, microsecond=0)
    _add_job(stores, EXPIRE, str(now.date()), {"day": now.date().isoformat()}, due_at)


def _add_job(
    stores: Stores, kind: str, key: str, payload: dict[str, str], due_at: datetime
) -> None:
    text = msgspec.json.encode(payload).decode()
    facts = {"kind": kind, "key": key, "payload": text, "due_at": due_at}
    stores.state.rows(load_sql("opportune", "schedule_job"), facts)


def _schedule_computing(stores: Stores, now: datetime) -> None:
    """Let computed traits follow their windows: once in each span of so many minutes."""
    span_s = max(1, stores.settings.compute_minutes) * 60
    due_at = datetime.fromtimestamp(now.timestamp() // span_s * span_s, UTC)
    facts = {"kind": COMPUTE_TRAITS, "key": due_at.isoformat(), "payload": "{}", "due_at": due_at}
    stores.state.rows(load_sql("opportune", "schedule_job"), facts)


def _run_job(worker: Worker, definitions: project.Project, now: datetime) -> bool:
    facts = {"now": now, "lease_s": JOB_LEASE_S}
    jobs = worker.stores.state.rows(load_sql("opportune", "claim_job"), facts)
    if not jobs:
        return False
    job = jobs[0]
    result: dict[str, object] = {"done_at": now, "error": None, "wait_s": 0.0}
    try:
        if job["kind"] == COMPUTE_TRAITS:
            profiles.compute(worker.stores, definitions.computed_traits.values(), now=now)
        elif job["kind"] == EXPIRE:
            _expire(worker, now)
        else:
            _decide_day(worker, definitions, job["payload"], now)
    except DatabaseUnavailable:
        raise
    except Exception as error:
        # Kept with its reason and tried again; other use cases and the outbox go on.
        part = f"decide:{job['payload']['use_case']}" if job["kind"] == DECIDE_DAY else job["kind"]
        said = worker.troubles.tell(part, error)
        result = {"done_at": None, "error": said, "wait_s": pause_s(job["attempts"])}
    facts = {"kind": job["kind"], "key": job["key"], **result}
    worker.stores.state.rows(load_sql("opportune", "finish_job"), facts)
    return True


def _expire(worker: Worker, now: datetime) -> None:
    after_days = privacy.parse_expiry(worker.stores.settings.expire_after_days)
    # Who was just seen is not quiet.
    worker.ingest.catch_up()
    privacy.expire(worker.stores.state, after_days, now=now)


def _decide_day(
    worker: Worker, definitions: project.Project, payload: dict[str, str], now: datetime
) -> None:
    # What was accepted before the day is decided belongs to what is known.
    worker.ingest.catch_up()
    day = date.fromisoformat(payload["day"])
    pipeline.run_day(worker.stores, definitions, payload["use_case"], day, now=now)
    worker.ingest.purge()


def _store_meanwhile(worker: Worker) -> None:
    """Take into the lake what was accepted, without the database."""
    while not worker.stop.is_set() and worker.troubles.attempt("store", worker.ingest.store, 0):
        pass
