"""Hand over what the outbox holds, each use case and destination on its own way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from opportune import activation, project
from opportune.activation import Bearer, Channel, Transport
from opportune.activation.connectors import connector
from opportune.decisions import UseCase
from opportune.errors import Unavailable
from opportune.telemetry import step
from opportune.worker.counting_apart import counted_apart
from opportune.worker.model import Worker

__all__ = ["Unanswered", "channels", "close_channels", "hand_over"]

LANE_S = 1.0


class Unanswered(Unavailable):
    """A receiver took none of a whole batch of calls: it is left alone for a while."""

    code = "unanswered"


def hand_over(worker: Worker, channel: Channel, now: datetime) -> bool:
    """Send what is due for a while, then what is held ahead, then ask about what was not answered.

    False: nothing to do.
    """
    name = channel.name
    channel = counted_apart(worker, channel, now)
    state, log, pool = worker.stores.state, worker.log, worker.calls
    send = partial(activation.send_due, state, channel, log, now=now, pool=pool)
    ask = partial(activation.enquire, state, channel, log, now=now, pool=pool)
    ahead = partial(activation.hand_over_ahead, state, channel, log, now=now, pool=pool)
    follow = partial(activation.follow_held, state, channel, log, now=now, pool=pool)
    sent = partial(_answered, send, {"sent", "failed"})
    held = partial(_answered, ahead, {"sent", "failed"})
    found = partial(_answered, ask, {"sent", "failed", "retry"})
    until = time.monotonic() + LANE_S
    # What is to come back comes before all: there is a time when it is too late.
    busy = worker.troubles.attempt(f"held:{name}", follow, 0) > 0
    for part, work in ((f"send:{name}", sent), (f"schedule:{name}", held)):
        while not worker.stop.is_set() and time.monotonic() < until:
            if not worker.troubles.attempt(part, work, 0):
                break
            busy = True
    return worker.troubles.attempt(f"enquire:{name}", found, 0) > 0 or busy


def _answered(work: Callable[[], Counter[str]], answers: set[str]) -> int:
    outcomes = work()
    if outcomes and not any(outcomes[answer] for answer in answers):
        raise Unanswered(
            f"Nothing of the last batch was answered ({outcomes.total()} sends). Why, the outbox "
            "says row by row; they are kept, and asked about or sent again later."
        )
    return outcomes.total()


def channels(worker: Worker, definitions: project.Project) -> list[Channel]:
    """Open the way to each use case's receiver; one that cannot be opened is left alone."""
    found = [
        worker.troubles.attempt(
            f"channel:{use_case.name}",
            partial(_channel, worker, use_case),
            None,
        )
        for use_case in definitions.use_cases.values()
    ]
    found += [
        worker.troubles.attempt(
            f"destination:{destination.name}",
            partial(_reach, worker, destination),
            None,
        )
        for destination in definitions.destinations.values()
    ]
    return [channel for channel in found if channel is not None]


def _channel(worker: Worker, use_case: UseCase) -> Channel:
    known = worker.channels.get(use_case.name)
    if known is not None and known[0] is use_case:
        return known[1]
    base_url = use_case.activation.config.get("base_url", "")
    if base_url not in worker.transports:
        settings = worker.stores.settings
        worker.transports[base_url] = Transport(
            base_url,
            Bearer(settings.braze_api_key),
            pool_size=activation.CALLS_AT_ONCE,
            read_timeout_s=settings.braze_timeout_s,
        )
    channel = Channel(
        name=use_case.name,
        connector=connector(use_case.activation.connector),
        config=use_case.activation.config,
        call=worker.transports[base_url].call,
        settle_s=worker.stores.settings.braze_settle_s,
        audience=use_case.audience_when_sent,
        schedules=use_case.activation.schedule != "ours",
        alone=bool(use_case.activation.cancel_when),
    )
    worker.channels[use_case.name] = (use_case, channel)
    return channel


def _reach(worker: Worker, destination: activation.Destination) -> Channel:
    """Open the way to a destination anew when it has changed; nobody is sending just now."""
    name = activation.channel_of(destination.name)
    known = worker.channels.get(name)
    if known is not None and known[0] == destination:
        return known[1]
    worker.reached.pop(name, ExitStack()).close()
    worker.channels.pop(name, None)
    with ExitStack() as stack:
        clock = partial(datetime.now, UTC)
        channel = activation.reach(destination, worker.stores.settings, clock=clock, stack=stack)
        worker.reached[name] = stack.pop_all()
    worker.channels[name] = (destination, channel)
    return channel


def close_channels(worker: Worker) -> None:
    """Close what the channels keep open."""
    with step("close_transports", {"transports": len(worker.transports) + len(worker.reached)}):
        for transport in worker.transports.values():
            transport.close()
        for stack in worker.reached.values():
            stack.close()
