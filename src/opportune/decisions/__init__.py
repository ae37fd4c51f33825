"""Decisions: what may be chosen, what was known, what was chosen and with which probability.

Invariants: a decision is logged with action, propensity, policy version and eligible options before
anything is sent; only `policies.draw` chooses; control profiles are decided and logged like the
others; features are a snapshot kept in the lake, so a decision can be made again from what it saw;
a trait declared personal is never a feature.

Deliberately absent: constraints between options, budgets, deciding on request.
"""

from opportune.decisions.decide import NoOption, decide, matrix, variants
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
    "NoOption",
    "Option",
    "UseCase",
    "decide",
    "matrix",
    "parse_use_case",
    "read_use_case",
    "snapshot",
    "variants",
]
