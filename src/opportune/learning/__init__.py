"""Learning: outcomes become rewards, rewards a better policy, and a log says what another earned.

Invariants: a reward is written once, when its window is over; a day's rewards train a model once;
control never teaches the model; the model never sees who somebody is. What a policy sees of days
whose window is still open is for one day alone: the next one goes on from what was complete.

A new version of a use case goes on from what an older one learned where that means the same. The
first one may begin with another log (`warm_start`), which counts for less and is named beside every
model that came of it.
"""

from opportune.learning.again import PLAYS, Log, Play, logged_days, play_of
from opportune.learning.early import MOST_WAITING, waiting
from opportune.learning.evaluate import (
    Evaluated,
    Logged,
    RewardModel,
    difference,
    evaluate,
    evaluate_log,
    expected_under,
)
from opportune.learning.lessons import action_indices, lessons, reward_kind, rewards_of
from opportune.learning.model import REWARDS, WarmStart
from opportune.learning.reward import reward
from opportune.learning.train import (
    KEEP_DAYS,
    PolicyKind,
    Trained,
    model_days,
    newest,
    of_version,
    prune_models,
    started,
    train,
)
from opportune.learning.warm import (
    WARM_SHARE,
    AlreadyLearned,
    BadShare,
    Discounting,
    NotAlike,
    NothingLearned,
    NoWarmStart,
    WarmStarted,
    warm_start,
    warm_start_from,
)
from opportune.learning.what_if import WhatIf, what_if

__all__ = [
    "started",
    "PLAYS",
    "Log",
    "Play",
    "WhatIf",
    "logged_days",
    "play_of",
    "what_if",
    "of_version",
    "KEEP_DAYS",
    "REWARDS",
    "WARM_SHARE",
    "AlreadyLearned",
    "BadShare",
    "Discounting",
    "Evaluated",
    "Logged",
    "MOST_WAITING",
    "NoWarmStart",
    "NotAlike",
    "NothingLearned",
    "PolicyKind",
    "RewardModel",
    "Trained",
    "WarmStart",
    "WarmStarted",
    "action_indices",
    "difference",
    "evaluate",
    "evaluate_log",
    "expected_under",
    "lessons",
    "model_days",
    "newest",
    "prune_models",
    "reward",
    "reward_kind",
    "rewards_of",
    "train",
    "waiting",
    "warm_start",
    "warm_start_from",
]
