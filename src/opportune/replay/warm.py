"""Have a live use case begin with what a campaign teaches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from opportune import decisions, learning, policies
from opportune.events import Metric
from opportune.replay.enter import Told
from opportune.replay.lessons import Lessons, lessons
from opportune.replay.model import Campaign
from opportune.storage import Stores

__all__ = ["Begun", "warm_start"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a use case begins with, what was read for it, and what may be wrong about that."""

    started: learning.WarmStarted
    lessons: Lessons
    warnings: tuple[str, ...]


def warm_start(
    stores: Stores,
    campaign: Campaign,
    defined: tuple[decisions.UseCase, Metric],
    *,
    outcome: str | None = None,
    share: float = learning.WARM_SHARE,
    told: Told,
) -> Begun:
    """Teach the use case of ``defined``, with its success metric, every row of ``campaign``.

    A row counts as ``share`` of one of its own. Raises what `lessons` and `learning.warm_start` do.
    """
    use_case, metric = defined
    found = lessons(campaign, use_case, metric, outcome)
    origin = learning.WarmStart(
        source=campaign.file,
        digest=campaign.digest,
        meaning=_meaning(campaign),
        outcome=found.outcome.name,
        rows=found.rows,
        left_out=campaign.rows - found.rows,
        share=share,
    )
    started = learning.warm_start(stores, use_case, metric, _heard(found, told), origin)
    return Begun(started=started, lessons=found, warnings=_warnings(campaign, use_case, found))


def _heard(found: Lessons, told: Told) -> Iterator[policies.Batch]:
    done = 0
    for batch in found.batches:
        told("rows learned", done, found.rows)
        yield batch
        done += len(batch.rewards)
    told("rows learned", done, found.rows)


def _meaning(campaign: Campaign) -> str:
    """Hex digits that differ when the schema means something else."""
    schema = replace(campaign.schema, where="", title="")
    names = [each.name for each in schema.features]
    return hashlib.blake2b(f"{schema!r} {names}".encode(), digest_size=6).hexdigest()


def _warnings(campaign: Campaign, use_case: decisions.UseCase, found: Lessons) -> tuple[str, ...]:
    schema = campaign.schema
    warnings = []
    if isinstance(schema.propensity, str):
        known = {each.trait for each in use_case.features}
        unread = [each.name for each in schema.features if each.name not in known]
        also = f" It does not read {', '.join(unread)} of the log." if unread else ""
        warnings.append(
            f"Who got what followed a rule of the log ('{schema.propensity}'), not a fixed chance. "
            f"'{use_case.name}' must have every feature that this rule looked at: what else it "
            f"looked at is taken for an effect of the options.{also}"
        )
    warnings += (
        f"{rows} rows left out: '{use_case.name}' has no option {option}."
        for option, rows in found.left_out.items()
    )
    warnings += (
        f"'{use_case.name}' does not choose '{name}': its effects are averaged."
        for name in found.unused
    )
    return tuple(warnings)
