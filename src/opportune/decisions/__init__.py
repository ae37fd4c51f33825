"""Decisions: what may be chosen, what was known, what was chosen and with which probability.

Invariants: a decision is logged with action, propensity, policy version and eligible options before
anything is sent; only `policies.draw` chooses; control profiles are decided and logged like the
others; features are a snapshot kept in the lake, so a decision can be made again from what it saw;
what a policy forbids is neither a feature nor read by an option's rule (`check_fields`).

Deliberately absent: constraints between options, budgets, deciding on request.
"""

from opportune.decisions.decide import NoOption, decide, matrix, variants
from opportune.decisions.fields import FieldUse, check_fields, field_uses, forbidden_uses
from opportune.decisions.model import (
    DECISIONS,
    FEATURES,
    Activation,
    Dimension,
    Feature,
    Option,
    UseCase,
)
from opportune.decisions.parse import parse_use_case, read_use_case
from opportune.decisions.snapshot import snapshot

__all__ = [
    "DECISIONS",
    "FEATURES",
    "Activation",
    "Dimension",
    "Feature",
    "FieldUse",
    "NoOption",
    "Option",
    "UseCase",
    "check_fields",
    "decide",
    "field_uses",
    "forbidden_uses",
    "matrix",
    "parse_use_case",
    "read_use_case",
    "snapshot",
    "variants",
]
