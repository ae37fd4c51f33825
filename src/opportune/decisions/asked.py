"""The nouns of deciding on request: what is asked, what is answered, and what is kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import pyarrow as pa

from opportune.decisions.factors import Factor
from opportune.decisions.judge import Excluded, Said
from opportune.errors import Conflict, InvalidInput, Unsupported

__all__ = [
    "ASKED_FEATURES",
    "Answer",
    "Candidate",
    "Decided",
    "InvalidQuestion",
    "NotInAudience",
    "NotOnRequest",
    "NotStarted",
    "Person",
    "Question",
    "TooSoon",
]

MOST_TRAITS = 200
LONGEST_REQUEST_ID = 200
LONGEST_IDENTIFIER = 1_000

# What was known when a decision was asked for: `features` has that of a whole day.
ASKED_FEATURES = pa.schema(
    [
        pa.field("decision_id", pa.string(), nullable=False),
        pa.field("use_case", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("values", pa.list_(pa.float64()), nullable=False),
        # The forbidden combinations that applied to it, a bit each; null: none.
        pa.field("forbidden", pa.int64()),
        # What it had too lately: masks by dimension, and whole actions as in the snapshot.
        pa.field("cooled", pa.list_(pa.int64())),
        pa.field("recent", pa.list_(pa.int64())),
    ]
)


class NotInAudience(Conflict):
    """The profile is not in the use case's audience just now, so nothing is decided for it."""

    code = "not_in_audience"


class NotStarted(Conflict):
    """The use case has no policy yet: none of its days was decided. Or its champion has none."""

    code = "not_started"


class TooSoon(Conflict):
    """The cadence of what the profile got last lets it wait, so nothing is decided for it."""

    code = "too_soon"


class NotOnRequest(Unsupported):
    """The use case treats nobody, or has a cap on sends that only the day's run can keep to."""

    code = "not_on_request"


class InvalidQuestion(InvalidInput):
    """A question to decide cannot be read, or is larger than allowed."""

    code = "invalid_question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Decide ``use_case`` for the profile with identifier (``kind``, ``value``).

    ``request_id`` is the caller's: asked again with the same one, the answer is the same.
    ``traits`` count before the stored ones, for this decision alone. ``dry_run`` keeps nothing;
    without a request id it answers what the day's run would choose. Raises ``InvalidQuestion``.
    """

    use_case: str
    kind: str
    value: str
    request_id: str = ""
    traits: Mapping[str, object] = field(default_factory=dict)
    dry_run: bool = False
    request: str = field(init=False)
    """The digest of the request id, sixteen hex digits: what is stored of it."""

    def __post_init__(self) -> None:
        if not self.request_id and not self.dry_run:
            raise InvalidQuestion("A decision that is kept needs a request_id of its own.")
        for name, given, most in (
            ("request_id", len(self.request_id), LONGEST_REQUEST_ID),
            ("value", len(self.value) + len(self.kind), LONGEST_IDENTIFIER),
            ("traits", len(self.traits), MOST_TRAITS),
        ):
            if given > most:
                raise InvalidQuestion(f"'{name}' is {given} long; at most {most} is allowed.")
        named = self.request_id.encode(errors="surrogatepass")
        digest = hashlib.blake2b(named, digest_size=8).hexdigest()
        object.__setattr__(self, "request", digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What State knows of the profile that a question is about.

    ``segments`` are those of the use case's audience and of what is taken away from it; ``answer``
    is what was answered before to the same request, as it was kept. ``said`` is what it said of
    channels for the use case's purpose.
    """

    profile_id: int
    user_id: str | None
    traits: Mapping[str, object]
    segments: frozenset[str]
    last_seen_at: datetime
    answer: str | None
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An action that the policy plays for this profile, how likely, and the reward it expects.

    ``score`` is None for a policy that expects nothing.
    """

    action: Mapping[str, str]
    probability: float
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was decided for one profile, and why.

    ``group`` "control" is business as usual: ``action`` is then what it would have got, and is
    not to be carried out; "shadow" is the same, for everybody; ``parameters`` are those of its
    options. ``candidates`` are what the policy plays, the likeliest first; beside them, any of the
    ``eligible_actions`` shares ``uniform_share``. ``advantage`` is by how much the log-odds that
    the policy gives the action are above the average of what the profile may get (None for a
    policy that does not say), and ``factors`` are the reasons, which add up to it. Times are aware
    UTC: rules on dates hold as of the beginning of ``day``, traits are those of ``decided_at``, and
    ``last_event_at`` is the newest event of the profile that they follow from.
    """

    decision_id: str | None
    use_case: str
    version: int
    day: date
    group: str
    action: Mapping[str, str] | None
    parameters: Mapping[str, Mapping[str, str | int | float | bool]]
    propensity: float | None
    dimension_propensities: Mapping[str, float]
    explored: bool
    policy: str
    policy_version: str
    trained_through: date | None
    uniform_share: float
    eligible_actions: int
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    decided_at: datetime
    last_event_at: datetime
    dry_run: bool
    advantage: float | None = None
    factors: tuple[Factor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An answer that is to be kept before it is given: its key, and what was known.

    ``record`` is what the lake is to have beside the answer: ``user_id``, ``values`` of the
    features (None is missing) and ``eligible`` options. Where limits hold: whose it is, the how
    manieth of this person (``contact``), what it was as a contact (``had``; None: none), and how
    many millionths it ``cost``.
    """

    use_case: str
    profile_id: int
    request: str
    decided_at: datetime
    answer: Answer
    record: Mapping[str, object]
    user_id: str | None = None
    contact: int | None = None
    had: Mapping[str, object] | None = None
    cost: int = 0
