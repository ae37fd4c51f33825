"""The order of the day, one line per step: read this first.

    events.record -> profiles.resolve -> segments.follow -> learning.reward -> learning.train
        -> decisions.snapshot -> decisions.decide -> activation.enqueue -> (worker) activation.send
        -> deliveries, opens, orders come back as events

Every step is keyed and finds its own work done: running it again changes nothing.
"""

from opportune.pipeline.braze_set_up import advice_for, check_before_start, set_up_of
from opportune.pipeline.day import DayDone, create_tables, run_day
from opportune.pipeline.explain import Explanation, explain
from opportune.pipeline.ingest import Ingest, take_in
from opportune.pipeline.messages import (
    MessagePreview,
    Tester,
    UnknownCombination,
    preview_message,
    send_test,
)
from opportune.pipeline.on_request import (
    OnRequest,
    TooManyQuestions,
    decide_on_request,
    would_decide,
)
from opportune.pipeline.preview import preview
from opportune.pipeline.progress import caught_up, somebody_ingests, waiting_bytes
from opportune.pipeline.read_again import read_again
from opportune.pipeline.ready import readiness
from opportune.pipeline.rebuild import (
    WORKER_LOCK,
    Compared,
    Rebuilt,
    WorkerRuns,
    drop_rebuild,
    rebuild,
)
from opportune.pipeline.reconcile import NotThroughBraze, reconcile
from opportune.pipeline.states import change_state
from opportune.pipeline.what_if import Otherwise, log_of, what_if

__all__ = [
    "advice_for",
    "MessagePreview",
    "Tester",
    "UnknownCombination",
    "preview_message",
    "send_test",
    "NotThroughBraze",
    "reconcile",
    "preview",
    "Otherwise",
    "log_of",
    "what_if",
    "explain",
    "Explanation",
    "WORKER_LOCK",
    "Compared",
    "DayDone",
    "Ingest",
    "OnRequest",
    "Rebuilt",
    "TooManyQuestions",
    "WorkerRuns",
    "caught_up",
    "change_state",
    "check_before_start",
    "set_up_of",
    "create_tables",
    "decide_on_request",
    "drop_rebuild",
    "rebuild",
    "read_again",
    "readiness",
    "run_day",
    "somebody_ingests",
    "take_in",
    "waiting_bytes",
    "would_decide",
]
