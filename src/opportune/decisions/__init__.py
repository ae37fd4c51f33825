"""Decisions: what may be chosen, what was known, what was chosen and with which probability.

Invariants: a decision is logged with action, propensity, policy version and eligible options before
anything is sent; only `policies.draw` chooses; control profiles are decided and logged like the
others; features are a snapshot kept in the lake, so a decision can be made again from what it saw;
what a policy forbids is neither a feature nor read by an option's rule (`check_fields`); an action
that a constraint bars has the probability 0; who may get no action has no decision and is counted.

Deliberately absent: budgets, deciding on request.
"""

from opportune.decisions.allowed import REASONS
from opportune.decisions.combinations import parts
from opportune.decisions.constraints import Constraints, Cooldown, Forbidden, QuietHours
from opportune.decisions.decide import NoOption, decide, held_back, matrix, variants
from opportune.decisions.fields import FieldUse, check_fields, field_uses, forbidden_uses
from opportune.decisions.model import (
    DECISIONS,
    FEATURES,
    WEEKDAYS,
    Activation,
    Dimension,
    Feature,
    Option,
    UseCase,
)
from opportune.decisions.parse import parse_use_case, read_use_case
from opportune.decisions.send_time import next_time, send_times, sends_nothing
from opportune.decisions.snapshot import snapshot

__all__ = [
    "DECISIONS",
    "FEATURES",
    "REASONS",
    "WEEKDAYS",
    "Activation",
    "Constraints",
    "Cooldown",
    "Dimension",
    "Feature",
    "FieldUse",
    "Forbidden",
    "NoOption",
    "Option",
    "QuietHours",
    "UseCase",
    "check_fields",
    "decide",
    "field_uses",
    "forbidden_uses",
    "held_back",
    "matrix",
    "next_time",
    "parse_use_case",
    "parts",
    "read_use_case",
    "send_times",
    "sends_nothing",
    "snapshot",
    "variants",
]
