"""Decisions: what may be chosen, what was known, what was chosen and with which probability.

Invariants: a decision is logged with action, propensity, policy version and eligible options before
anything is sent; only `policies.draw` chooses; control profiles are decided and logged like the
others; features are a snapshot kept in the lake, so a decision can be made again from what it saw;
what a policy forbids is neither a feature nor read by an option's rule (`check_fields`); an action
that a constraint bars has the probability 0; who may get no action has no decision and is counted.
A budget is never exceeded; what was spent is read from decisions and rewards. A use case that
breaks a guard rail stops, until a person lets it go on. On request one profile is
decided for as the day's run would (`decide_asked`), and the answer is kept before it is told. What
a use case may do (`STATES`) is no part of its versions; what is decided in shadow is marked, and is
never taken for something that was sent.
"""

from opportune.decisions.allowed import REASONS
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
    NotOnRequest,
    NotStarted,
    Person,
    Question,
    TooSoon,
)
from opportune.decisions.budget import Chosen, Plan, choose, explored, shadow_price
from opportune.decisions.changed import (
    Changed,
    Lived,
    NotComparable,
    Possible,
    changed_from,
    possible,
)
from opportune.decisions.combinations import breaking, parts
from opportune.decisions.constraints import Cap, Constraints, Cooldown, Forbidden, QuietHours
from opportune.decisions.decide import SHADOW, NoOption, decide, decide_beside, held_back, matrix
from opportune.decisions.decider import decide_asked, make_decider
from opportune.decisions.delays import RewardDelays, reward_delays
from opportune.decisions.factors import Factor, in_words
from opportune.decisions.fields import FieldUse, check_fields, field_uses, forbidden_uses
from opportune.decisions.groups import CHAMPION, SENT, UNSENT, Player, expected_shares, variants
from opportune.decisions.guard import (
    FEWEST_AFFECTED,
    GuardLook,
    NotStopped,
    Stop,
    UseCaseStopped,
    confidence_at,
    guard,
    guard_looks,
    resume,
    stopped,
)
from opportune.decisions.history import cooled
from opportune.decisions.judge import Excluded, Said, purpose_of
from opportune.decisions.limits import BeingDecided, Limits, alone, epochs, is_limited, limits_of
from opportune.decisions.may_get import MayGet, OptionMayGet, may_get
from opportune.decisions.model import (
    DECISIONS,
    FEATURES,
    STATES,
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
from opportune.decisions.parse_groups import parse_holdout
from opportune.decisions.people import AudiencePeople, audience_people
from opportune.decisions.prepared import Decider
from opportune.decisions.replayed import (
    Known,
    OptionChance,
    Replayed,
    exclusions,
    replayed,
)
from opportune.decisions.send_time import (
    MOST_DAYS_AHEAD,
    next_time,
    send_times,
    sends_nothing,
)
from opportune.decisions.snapshot import audience_of, snapshot
from opportune.decisions.spend import BudgetDay, Spent, budget_days, in_unit_of, spent
from opportune.decisions.states import (
    InvalidState,
    StateChange,
    UseCaseNotDeciding,
    change_state,
    note_state,
    state_changes,
    states,
)
from opportune.decisions.within import DecidedMeanwhile, decide_within

__all__ = [
    "CHAMPION",
    "Player",
    "breaking",
    "Changed",
    "Lived",
    "NotComparable",
    "Possible",
    "changed_from",
    "explored",
    "possible",
    "cooled",
    "replayed",
    "exclusions",
    "Replayed",
    "OptionChance",
    "Known",
    "ASKED_FEATURES",
    "DECISIONS",
    "FEATURES",
    "MOST_DAYS_AHEAD",
    "REASONS",
    "SENT",
    "SHADOW",
    "STATES",
    "UNSENT",
    "WEEKDAYS",
    "Activation",
    "Answer",
    "AudiencePeople",
    "BeingDecided",
    "Budget",
    "BudgetDay",
    "Candidate",
    "Chosen",
    "Cap",
    "Constraints",
    "Cooldown",
    "Decided",
    "DecidedMeanwhile",
    "Decider",
    "Dimension",
    "Excluded",
    "Factor",
    "Feature",
    "FieldUse",
    "Forbidden",
    "GuardRail",
    "InvalidQuestion",
    "InvalidState",
    "Limits",
    "MayGet",
    "NoOption",
    "NotInAudience",
    "NotOnRequest",
    "NotStarted",
    "NotStopped",
    "Option",
    "OptionMayGet",
    "Person",
    "Plan",
    "Question",
    "QuietHours",
    "RewardDelays",
    "Said",
    "Spent",
    "StateChange",
    "Stop",
    "TooSoon",
    "UseCase",
    "UseCaseNotDeciding",
    "UseCaseStopped",
    "alone",
    "audience_people",
    "audience_of",
    "budget_days",
    "change_state",
    "check_fields",
    "choose",
    "decide",
    "decide_beside",
    "decide_asked",
    "decide_within",
    "epochs",
    "expected_shares",
    "field_uses",
    "forbidden_uses",
    "FEWEST_AFFECTED",
    "GuardLook",
    "confidence_at",
    "guard",
    "guard_looks",
    "hand_over_asked",
    "held_back",
    "in_unit_of",
    "in_words",
    "is_limited",
    "keep",
    "limits_of",
    "make_decider",
    "matrix",
    "may_get",
    "next_time",
    "note_state",
    "parse_holdout",
    "parse_use_case",
    "parts",
    "people_asked",
    "purpose_of",
    "read_answer",
    "read_use_case",
    "resume",
    "reward_delays",
    "send_times",
    "sends_nothing",
    "shadow_price",
    "snapshot",
    "spent",
    "state_changes",
    "states",
    "stopped",
    "variants",
]
