"""Decisions: what may be chosen, what was known, what was chosen and with which probability.

Invariants: a decision is logged with action, propensity, policy version and eligible options before
anything is sent; only `policies.draw` chooses; control profiles are decided and logged like the
others; features are a snapshot kept in the lake, so a decision can be made again from what it saw;
what a policy forbids is neither a feature nor read by an option's rule (`check_fields`). On request
one profile is decided for as the day's run would (`decide_asked`), and the answer is kept before it
is told.

Deliberately absent: constraints between options, budgets.
"""

from opportune.decisions.ask import (
    hand_over_asked,
    keep,
    people_asked,
    read_answer,
)
from opportune.decisions.asked import (
    ASKED_FEATURES,
    Answer,
    Candidate,
    Decided,
    InvalidQuestion,
    NotInAudience,
    NotStarted,
    Person,
    Question,
)
from opportune.decisions.decide import NoOption, decide, matrix, variants
from opportune.decisions.decider import Decider, decide_asked, make_decider
from opportune.decisions.fields import FieldUse, check_fields, field_uses, forbidden_uses
from opportune.decisions.judge import Excluded
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
    "ASKED_FEATURES",
    "DECISIONS",
    "FEATURES",
    "Activation",
    "Answer",
    "Candidate",
    "Decided",
    "Decider",
    "Dimension",
    "Excluded",
    "Feature",
    "FieldUse",
    "InvalidQuestion",
    "NoOption",
    "NotInAudience",
    "NotStarted",
    "Option",
    "Person",
    "Question",
    "UseCase",
    "check_fields",
    "decide",
    "decide_asked",
    "field_uses",
    "forbidden_uses",
    "hand_over_asked",
    "keep",
    "make_decider",
    "matrix",
    "parse_use_case",
    "people_asked",
    "read_answer",
    "read_use_case",
    "snapshot",
    "variants",
]
