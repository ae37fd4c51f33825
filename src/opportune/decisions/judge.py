"""What one profile may get, and by which rule each thing that it may not get is excluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import numpy as np
import pyarrow as pa

from opportune import policies, rules
from opportune.decisions.combinations import parts, quiet_options
from opportune.decisions.constraints import Forbidden
from opportune.decisions.model import Dimension, UseCase
from opportune.profiles import ConsentRules
from opportune.rules import Facts

__all__ = [
    "Excluded",
    "Judge",
    "Judged",
    "Said",
    "channels_allowed",
    "eligibility",
    "judge_of",
    "purpose_of",
]

Said = tuple[str, str, int]
"""What a profile said of a channel: its name or '*', the state, and when (microseconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """An option, or a combination of several, that a profile may not get; ``because`` in words."""

    options: Mapping[str, str]
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The options that one profile may get, a bitmask for each dimension; and all it may not.

    ``forbidden``: a bit for each forbidden combination of the use case that applies to it.
    ``recent``: whole actions that it had too lately, as places in the action space.
    """

    options: tuple[int, ...]
    forbidden: int
    excluded: tuple[Excluded, ...]
    recent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """All that may keep an option from a profile; texts say what does, whoever it is."""

    bit: int
    options: Mapping[str, str]
    rule: rules.Rule | None
    unless: str
    channel: str | None
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def bars(self) -> bool:
        """Whether there is anybody whom it may keep the option from."""
        return self.rule is not None or self.channel is not None or bool(self.before + self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Asks every rule of a use case of one profile, as of the end of the day before ``day``.

    It has one meaning with `snapshot`, which asks them of all profiles at once.
    """

    day: date
    # Of each dimension the options that nothing ever bars, a bitmask; and of the others what may.
    free: tuple[int, ...]
    dimensions: tuple[tuple[_Bar, ...], ...]
    # Each forbidden combination: when it applies, None: always; and what is said of it then.
    forbidden: tuple[tuple[rules.Rule | None, Excluded], ...]

    def judge(
        self, traits: Mapping[str, object], *, channels: Mapping[str, bool] | None = None
    ) -> Judged:
        """Say what the profile of these traits may get.

        ``channels`` are those that it allows or does not; None: nothing is asked for.
        """
        facts = Facts(now=datetime.combine(self.day, time(), UTC), traits=traits)
        masks: list[int] = []
        excluded: list[Excluded] = []
        for free, bars in zip(self.free, self.dimensions, strict=True):
            mask = free
            for bar in bars:
                reasons = _reasons(bar, facts, channels)
                if reasons:
                    because = "; ".join(reasons)
                    excluded.append(Excluded(options=bar.options, because=because))
                else:
                    mask |= bar.bit
            masks.append(mask)
        forbidden = 0
        for place, (rule, said) in enumerate(self.forbidden):
            if rule is None or rules.holds(rule, facts):
                forbidden |= 1 << place
                excluded.append(said)
        return Judged(options=tuple(masks), forbidden=forbidden, excluded=tuple(excluded))


def judge_of(use_case: UseCase, day: date) -> Judge:
    """Make ready what is the same for every profile."""
    quiet = quiet_options(use_case).tolist()
    dimensions = [
        [
            _bar(use_case, dimension, place, day, is_quiet=not (loud >> place) & 1)
            for place in range(len(dimension.options))
        ]
        for dimension, loud in zip(use_case.dimensions, quiet, strict=True)
    ]
    return Judge(
        day=day,
        free=tuple(sum(bar.bit for bar in bars if not bar.bars) for bars in dimensions),
        dimensions=tuple(tuple(bar for bar in bars if bar.bars) for bars in dimensions),
        forbidden=tuple((each.when, _together(each)) for each in use_case.constraints.forbidden),
    )


def channels_allowed(
    use_case: UseCase, consent: ConsentRules | None, said: Sequence[Said]
) -> dict[str, bool] | None:
    """Return which channels a profile allows by what it ``said`` of the purpose; None: not asked.

    Of a channel and every channel the newest statement counts, and of two the refusal.
    """
    place, purpose = use_case.place_of("channel"), purpose_of(use_case, consent)
    if place is None or purpose is None or consent is None:
        return None
    allowed = {}
    for option in use_case.dimensions[place].options:
        told = [(at_us, state) for name, state, at_us in said if name in (option.name, "*")]
        state = max(told)[1] if told else "unknown"
        assumed = state == "unknown" and purpose in consent.assumed
        allowed[option.name] = option.nothing or state == "granted" or assumed
    return allowed


def purpose_of(use_case: UseCase, consent: ConsentRules | None) -> str | None:
    """What a profile must allow before it may get anything; None: nothing."""
    if consent is None:
        return None
    return use_case.activation.purpose or consent.sends or None


def eligibility(use_case: UseCase, judged: Sequence[Judged]) -> policies.Eligibility:
    """Put what several profiles may get into columns; they are too few for several parts."""
    options = np.array([each.options for each in judged], dtype=np.int64)
    if not any(each.forbidden or each.recent for each in judged):
        return policies.Eligibility(options=options)
    forbidden = np.array([each.forbidden for each in judged], dtype=np.int64)
    recent = pa.array([list(each.recent) or None for each in judged], pa.list_(pa.int64()))
    ((_, eligible),) = parts(use_case, options, forbidden, recent)
    return eligible


def _bar(use_case: UseCase, dimension: Dimension, place: int, day: date, *, is_quiet: bool) -> _Bar:
    option = dimension.options[place]
    before, after = [], []
    if not option.is_valid(day):
        first, last = option.valid_from or "the beginning", option.valid_until or "the end"
        before.append(f"only from {first} to {last}")
    if is_quiet:
        after.append("it is in the quiet hours")
    return _Bar(
        bit=1 << place,
        options={dimension.name: option.name},
        rule=option.eligible,
        unless="" if option.eligible is None else f"only where {rules.words(option.eligible)}",
        channel=option.name if dimension.meaning == "channel" else None,
        before=tuple(before),
        after=tuple(after),
    )


def _reasons(bar: _Bar, facts: Facts, channels: Mapping[str, bool] | None) -> list[str]:
    reasons = list(bar.before)
    if bar.rule is not None and not rules.holds(bar.rule, facts):
        reasons.append(bar.unless)
    if bar.channel is not None and channels is not None and not channels[bar.channel]:
        reasons.append("the person does not allow this channel")
    reasons.extend(bar.after)
    return reasons


def _together(forbidden: Forbidden) -> Excluded:
    together = {name: " or ".join(named) for name, named in forbidden.options.items()}
    why = "forbidden together"
    if forbidden.when is not None:
        why += f" where {rules.words(forbidden.when)}"
    return Excluded(options=together, because=why)
