"""Read a campaign's rows as decisions of a live use case: its features, options and reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import decisions, learning, policies
from opportune.errors import InvalidInput, nearest
from opportune.events import Metric
from opportune.replay.model import Campaign, LoggedDimension, LoggedFeature, Outcome
from opportune.replay.run import in_order, outcome_of

__all__ = ["DoesNotFit", "Lessons", "lessons"]

Floats = NDArray[np.float64]
# Chooses among rows of the same time only.
SEED = 1
SHOWN = 5


class DoesNotFit(InvalidInput):
    """A campaign cannot teach a use case; ``problems`` has a line for each reason."""

    code = "campaign_does_not_fit"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lessons:
    """What a campaign teaches a use case, in the order of its time.

    ``left_out``: rows by the option, "dimension: option", that the use case does not have.
    ``unused``: dimensions of the log that the use case does not choose in.
    """

    outcome: Outcome
    batches: tuple[policies.Batch, ...]
    rows: int
    left_out: Mapping[str, int]
    unused: tuple[str, ...]


def lessons(
    campaign: Campaign, use_case: decisions.UseCase, metric: Metric, outcome: str | None = None
) -> Lessons:
    """Read every row of ``campaign`` as a decision of ``use_case``, rewarded by ``outcome``.

    A feature of the log is the trait of its name, dimensions and options are those of their names.
    Without ``outcome`` it is the one called like the success metric, or the only one. Raises
    ``UnknownOutcome``, or ``DoesNotFit`` with a line for each thing that the use case lacks in it.
    """
    problems: list[str] = []
    paid = _outcome(campaign, metric, outcome, problems)
    features = _features(campaign, use_case, problems)
    actions = _actions(campaign, use_case, problems)
    if problems:
        raise DoesNotFit(problems)
    order = in_order(campaign, SEED)
    order = order[(actions[order] >= 0).all(axis=1)]
    if not len(order):
        raise DoesNotFit([_no_row(campaign, use_case)])
    whole = policies.Batch(
        features=features[order],
        actions=actions[order],
        rewards=learning.rewards_of(metric, campaign.rewards[paid.name][order]),
        propensities=campaign.propensities[order],
    )
    known = {each.name for each in use_case.dimensions}
    return Lessons(
        outcome=paid,
        batches=_in_batches(whole, campaign.schema.batches),
        rows=len(order),
        left_out=_left_out(campaign, use_case),
        unused=tuple(each.name for each in campaign.schema.dimensions if each.name not in known),
    )


def _outcome(campaign: Campaign, metric: Metric, name: str | None, problems: list[str]) -> Outcome:
    schema = campaign.schema
    if name is None:
        called = [each for each in schema.outcomes if each.name == metric.name]
        found = called or list(schema.outcomes)
        if len(found) > 1:
            problems.append(
                f"outcome: {schema.where} has {len(found)} and none is called '{metric.name}', as "
                f"the success metric is. Choose one: {', '.join(each.name for each in found)}."
            )
        paid = found[0]
    else:
        paid = outcome_of(campaign, name)
    if learning.reward_kind(metric) == "amount" and paid.kind == "binary":
        amounts = [each.name for each in schema.outcomes if each.kind == "amount"]
        problems.append(
            f"outcome: '{paid.name}' says whether anything happened, but metric '{metric.name}' "
            f"sums '{metric.property}'. Of kind amount: {', '.join(amounts) or 'none'}."
        )
    return paid


def _features(campaign: Campaign, use_case: decisions.UseCase, problems: list[str]) -> Floats:
    """``(n, feature_count)`` as a snapshot of the use case would have them."""
    logged = {each.name: each for each in campaign.schema.features}
    columns: list[Floats] = []
    for feature in use_case.features:
        told = logged.get(feature.trait)
        if told is None:
            problems.append(
                f"feature '{feature.trait}' of '{use_case.name}': {campaign.schema.where} has none "
                f"of this name. {nearest(feature.trait, logged)} Say which column it is, with "
                f'{{ column = "...", name = "{feature.trait}" }}, or take it out of the use case.'
            )
            continue
        columns += _columns(campaign, feature, told, problems)
    return np.stack(columns, axis=1) if columns else np.empty((campaign.rows, 0))


def _columns(
    campaign: Campaign, feature: decisions.Feature, told: LoggedFeature, problems: list[str]
) -> list[Floats]:
    values = campaign.traits[told.column]
    if told.categorical != bool(feature.one_of):
        here, there = ("a category", "numbers") if feature.one_of else ("a number", "a category")
        problems.append(
            f"feature '{feature.trait}': {here} in the use case, {there} in column "
            f"'{told.column}'. {'List it under' if feature.one_of else 'Take it out of'} "
            "'categorical', or change the use case."
        )
        return []
    if not feature.one_of:
        return [_floats(values)]
    found = [_floats(pc.equal(values, value).cast(pa.float64())) for value in feature.one_of]
    if not any(np.nansum(each) for each in found):
        problems.append(
            f"feature '{feature.trait}': no row has one of {', '.join(feature.one_of[:SHOWN])} in "
            f"column '{told.column}'. Write the categories as the trait has them."
        )
    return found


def _floats(values: pa.ChunkedArray) -> Floats:
    return np.asarray(pc.fill_null(values, np.nan).to_numpy(), dtype=np.float64)


def _actions(
    campaign: Campaign, use_case: decisions.UseCase, problems: list[str]
) -> NDArray[np.int16]:
    """``(n, D)`` option indices of the use case; -1 where it does not have the option."""
    logged = {each.name: d for d, each in enumerate(campaign.schema.dimensions)}
    actions = np.zeros((campaign.rows, len(use_case.dimensions)), dtype=np.int16)
    for d, dimension in enumerate(use_case.dimensions):
        place = logged.get(dimension.name)
        if place is not None:
            here = _places(campaign.schema.dimensions[place], dimension)
            actions[:, d] = here[campaign.actions[:, place]]
        elif len(dimension.options) > 1:
            problems.append(
                f"dimension '{dimension.name}' of '{use_case.name}': {campaign.schema.where} has "
                f"none of this name. {nearest(dimension.name, logged)} Say which column tells it; "
                "if everybody got the same, add a column with that one value."
            )
    return actions


def _places(logged: LoggedDimension, dimension: decisions.Dimension) -> NDArray[np.int16]:
    """The place in the use case of each option of the log; -1: it has none of that name."""
    places = {option.name: place for place, option in enumerate(dimension.options)}
    return np.array([places.get(name, -1) for name in logged.options.values()], dtype=np.int16)


def _left_out(campaign: Campaign, use_case: decisions.UseCase) -> dict[str, int]:
    known = {each.name: each for each in use_case.dimensions}
    counts: dict[str, int] = {}
    for d, logged in enumerate(campaign.schema.dimensions):
        if logged.name in known:
            unknown = _places(logged, known[logged.name]) < 0
            played = np.bincount(campaign.actions[:, d], minlength=len(unknown))
            counts |= {
                f"{logged.name}: {option}": int(count)
                for option, count, missing in zip(
                    logged.options.values(), played, unknown, strict=True
                )
                if missing and count
            }
    return counts


def _no_row(campaign: Campaign, use_case: decisions.UseCase) -> str:
    told = "; ".join(
        f"{each.name} {', '.join(option.name for option in each.options)}"
        for each in use_case.dimensions
    )
    logged = "; ".join(
        f"{each.name} {', '.join(each.options.values())}" for each in campaign.schema.dimensions
    )
    return (
        f"No row of {campaign.file} got options of '{use_case.name}'. They are {told}; "
        f"{campaign.schema.where} has {logged}. Give options the same names."
    )


def _in_batches(whole: policies.Batch, count: int) -> tuple[policies.Batch, ...]:
    """Views of as many parts, in order, none of them empty."""
    rows = len(whole.rewards)
    edges = np.linspace(0, rows, min(count, rows) + 1).astype(int)
    return tuple(
        policies.Batch(
            features=whole.features[start:end],
            actions=whole.actions[start:end],
            rewards=whole.rewards[start:end],
            propensities=whole.propensities[start:end],
        )
        for start, end in pairwise(edges)
    )
