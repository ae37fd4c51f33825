"""What each of those who ask may get: by rules, by what it had, by what is left of a budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from opportune.decisions.asked import NotInAudience, Person, Question, TooSoon
from opportune.decisions.budget import millionths
from opportune.decisions.decide import NoOption
from opportune.decisions.judge import Excluded, Judged, channels_allowed, eligibility
from opportune.decisions.limits import Held, Past, past_of
from opportune.decisions.model import UseCase
from opportune.decisions.prepared import Decider
from opportune.decisions.read_traits import features_of
from opportune.errors import OpportuneError

__all__ = ["Asking", "Outcome", "asking"]

TEST_PERSON = "test_person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A question whose profile may get something.

    Within limits, ``past`` is what it had, and the answer is the ``number``-th of its person.
    """

    place: int
    question: Question
    person: Person
    values: list[float]
    judged: Judged
    past: Past | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The question at ``place``, and why nothing can be decided for it, or what it may get."""

    place: int
    outcome: Asking | OpportuneError


def asking(
    decider: Decider, asked: Sequence[tuple[Question, Person]], held: Held | None
) -> Iterator[Outcome]:
    """Judge each of those who ask, in order; what one may cost is no more there for the next.

    The same goes for all groups, so that what a profile may get does not depend on its own.
    """
    left = None if held is None or held.spare is None else held.granted
    for place, (question, person) in enumerate(asked):
        try:
            found = _judged(decider, place, question, person, held)
            if left is not None and held is not None and held.spare is not None:
                # Of a dry run nothing is held: it may see what is spare.
                free = left + held.spare if question.dry_run else left
                found, cost = _afforded(decider, found, free)
                left -= 0 if question.dry_run else cost
            _check_left(decider, found)
        except OpportuneError as refusal:
            yield Outcome(place=place, outcome=refusal)
        else:
            yield Outcome(place=place, outcome=found)


def _judged(
    decider: Decider, place: int, question: Question, person: Person, held: Held | None
) -> Asking:
    use_case = decider.use_case
    traits = {**person.traits, **question.traits} if question.traits else person.traits
    _check_audience(use_case, person, traits)
    channels = channels_allowed(use_case, decider.consent, person.said)
    found = Asking(
        place=place,
        question=question,
        person=person,
        values=features_of(use_case, traits),
        judged=decider.judge.judge(traits, channels=channels),
    )
    if decider.limits is None or held is None or person.user_id is None:
        return found
    past = past_of(use_case, decider.limits, held, person.user_id, decider.day)
    if past.waits:
        raise TooSoon(
            f"Use case '{use_case.name}': the cadence of what this profile got last lets it wait. "
            "Nothing was decided; ask again on a later day."
        )
    judged = _without(use_case, found.judged, past)
    return replace(found, judged=judged, past=past, number=held.next_of(person.user_id))


def _without(use_case: UseCase, judged: Judged, past: Past) -> Judged:
    """What is left after what the profile had too lately."""
    barred = tuple(mask & had for mask, had in zip(judged.options, past.cooled, strict=True))
    why = "cool-down: the profile had it too lately"
    wholes = [_named(use_case, use_case.space.actions()[code].tolist()) for code in past.recent]
    very = "cool-down: the profile had this very action lately"
    return replace(
        judged,
        options=tuple(mask & ~had for mask, had in zip(judged.options, past.cooled, strict=True)),
        recent=past.recent,
        excluded=(
            *judged.excluded,
            *_excluded(use_case, barred, why),
            *(Excluded(options=each, because=very) for each in wholes),
        ),
    )


def _afforded(decider: Decider, each: Asking, left: int) -> tuple[Asking, int]:
    """The same with options only that fit into ``left`` millionths; and what the dearest costs."""
    use_case, judged = decider.use_case, each.judged
    prices = [[millionths(option.cost) for option in d.options] for d in use_case.dimensions]
    for level in sorted({price for row in prices for price in row} | {0}, reverse=True):
        options = tuple(
            mask & sum(1 << o for o, price in enumerate(row) if price <= level)
            for mask, row in zip(judged.options, prices, strict=True)
        )
        cost = sum(
            max((price for o, price in enumerate(row) if (mask >> o) & 1), default=0)
            for mask, row in zip(options, prices, strict=True)
        )
        if cost <= left:
            break
    else:
        options, cost = tuple(0 for _ in prices), 0
    if options == judged.options:
        return each, cost
    barred = tuple(had & ~mask for had, mask in zip(judged.options, options, strict=True))
    why = "its cost did not fit into what was left of the budget"
    excluded = (*judged.excluded, *_excluded(use_case, barred, why))
    return replace(each, judged=replace(judged, options=options, excluded=excluded)), cost


def _check_left(decider: Decider, each: Asking) -> None:
    use_case, judged = decider.use_case, each.judged
    for mask, dimension in zip(judged.options, use_case.dimensions, strict=True):
        if not mask:
            reasons = "; ".join(
                f"{each.options[dimension.name]}: {each.because}"
                for each in judged.excluded
                if each.options.keys() == {dimension.name}
            )
            raise NoOption(
                f"Use case '{use_case.name}': no option of dimension '{dimension.name}' is "
                f"allowed for this profile ({reasons}). Nothing was decided."
            )
    combined = judged.forbidden or judged.recent
    if combined and not eligibility(use_case, [judged]).counts(decider.space)[0]:
        raise NoOption(
            f"Use case '{use_case.name}': every combination of the options that are left for this "
            f"profile is forbidden{' or was had too lately' if judged.recent else ''}. Nothing was "
            "decided."
        )


def _excluded(use_case: UseCase, masks: Sequence[int], because: str) -> Iterator[Excluded]:
    for mask, dimension in zip(masks, use_case.dimensions, strict=True):
        for o, option in enumerate(dimension.options):
            if (mask >> o) & 1:
                yield Excluded(options={dimension.name: option.name}, because=because)


def _named(use_case: UseCase, action: Sequence[int]) -> dict[str, str]:
    return {
        dimension.name: dimension.options[option].name
        for dimension, option in zip(use_case.dimensions, action, strict=True)
    }


def _check_audience(use_case: UseCase, person: Person, traits: Mapping[str, object]) -> None:
    """Refuse whom the day's run leaves out."""
    away = sorted(person.segments.intersection(use_case.minus))
    if person.user_id is None:
        reason = "it has no user id"
    elif _is_true(traits.get(TEST_PERSON)):
        reason = "it only tests, and is in no group"
    elif away:
        reason = f"it is in segment '{away[0]}', which is taken away"
    elif not person.segments.intersection(use_case.audience):
        reason = f"it is in none of the segments {', '.join(use_case.audience)}"
    else:
        return
    raise NotInAudience(
        f"Use case '{use_case.name}' does not decide for this profile: {reason}. Nothing was "
        "decided."
    )


def _is_true(given: object) -> bool:
    return given is True or given == "true"
