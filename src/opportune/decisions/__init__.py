"""Decisions: what may be chosen, what was known, what was chosen and with which probability.

Invariants: a decision is logged with action, propensity, policy version and eligible options before
anything is sent; only `policies.draw` chooses; control profiles are decided and logged like the
others; features are a snapshot kept in the lake, so a decision can be made again from what it saw;
what a policy forbids is neither a feature nor read by an option's rule (`check_fields`); an action
that a constraint bars has the probability 0; who may get no action has no decision and is counted.
A budget is never exceeded; what was spent is read from decisions and rewards. A use case that
breaks a guard rail stops, until a person lets it go on.

Deliberately absent: deciding on request.
"""

from opportune.decisions.allowed import REASONS
from opportune.decisions.budget import Chosen, Plan, choose, shadow_price
from opportune.decisions.combinations import parts
from opportune.decisions.constraints import Constraints, Cooldown, Forbidden, QuietHours
from opportune.decisions.decide import NoOption, decide, held_back, matrix, variants
from opportune.decisions.fields import FieldUse, check_fields, field_uses, forbidden_uses
from opportune.decisions.guard import NotStopped, Stop, guard, resume, stopped
from opportune.decisions.model import (
    DECISIONS,
    FEATURES,
    WEEKDAYS,
    Activation,
    Budget,
    Dimension,
    Feature,
    GuardRail,
    Option,
    UseCase,
)
from opportune.decisions.parse import parse_use_case, read_use_case
from opportune.decisions.send_time import next_time, send_times, sends_nothing
from opportune.decisions.snapshot import snapshot
from opportune.decisions.spend import BudgetDay, Spent, budget_days, in_unit_of, spent

__all__ = [
    "DECISIONS",
    "FEATURES",
    "REASONS",
    "WEEKDAYS",
    "Activation",
    "Budget",
    "BudgetDay",
    "Chosen",
    "Constraints",
    "Cooldown",
    "Dimension",
    "Feature",
    "FieldUse",
    "Forbidden",
    "GuardRail",
    "NoOption",
    "NotStopped",
    "Option",
    "Plan",
    "QuietHours",
    "Spent",
    "Stop",
    "UseCase",
    "budget_days",
    "check_fields",
    "choose",
    "decide",
    "field_uses",
    "forbidden_uses",
    "guard",
    "held_back",
    "in_unit_of",
    "matrix",
    "next_time",
    "parse_use_case",
    "parts",
    "read_use_case",
    "resume",
    "send_times",
    "sends_nothing",
    "shadow_price",
    "snapshot",
    "spent",
    "stopped",
    "variants",
]
