"""Why one decision came out as it did, also long after it was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from opportune import decisions, learning, profiles, reports
from opportune.decisions import Candidate, Excluded, Factor, Known, OptionChance, UseCase
from opportune.project import Project
from opportune.reports import KeptDecision, LoggedDecision
from opportune.storage import Stores

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One decision and all its reasons.

    ``group`` says in words why it is in its group. ``values`` are the features as the policy saw
    them, None where they were not known; they are of ``decided_at``, and dates counted as of the
    beginning of ``decided.day``. ``candidates`` and ``chances`` say how likely each action and each
    option was; ``advantage`` is the log-odds of the chosen action above the average of all that
    could be chosen, to which ``factors`` add up. ``missing`` says what is no longer kept, "" where
    everything is; then ``propensity`` of the kept policy equals that of the log, and is None
    otherwise.
    """

    as_of: datetime
    decided: LoggedDecision
    title: str
    group: str
    policy: str
    trained_through: date | None
    values: dict[str, float | None]
    eligible_actions: int | None
    uniform_share: float | None
    propensity: float | None
    candidates: tuple[Candidate, ...]
    chances: tuple[OptionChance, ...]
    advantage: float | None
    factors: tuple[Factor, ...]
    excluded: tuple[Excluded, ...]
    missing: str


def explain(stores: Stores, project: Project, decision_id: str, *, now: datetime) -> Explanation:
    """Explain the decision with this id, with the policy that made it if it is still kept.

    Raises ``reports.DecisionNotFound``.
    """
    kept = reports.one_decision(stores, decision_id)
    use_case = None if kept.version is None else kept.version.use_case
    metric = None if use_case is None else project.metrics.get(use_case.success_metric)
    known = None if use_case is None else _known(stores, use_case, kept)
    trained, again = None, None
    if use_case is not None and metric is not None and known is not None:
        use_case = _as_decided(decisions.in_unit_of(use_case, metric), kept)
        trained = learning.of_version(stores, use_case, kept.said.policy_version)
        if trained is not None:
            again = decisions.replayed(use_case, trained.playing, known)
    excluded: tuple[Excluded, ...] = ()
    if use_case is not None and known is not None:
        asks = _asks_consent(stores, use_case)
        excluded = decisions.exclusions(use_case, known, asks_consent=asks)
    return Explanation(
        as_of=now,
        decided=kept.said,
        title=kept.said.use_case if use_case is None else use_case.title,
        group=_group(kept, use_case),
        policy="" if trained is None else trained.policy.name,
        trained_through=None if trained is None else trained.trained_through,
        values=_values(use_case, known),
        eligible_actions=None if again is None else again.eligible_actions,
        uniform_share=None if again is None else again.uniform_share,
        propensity=None if again is None else again.propensity,
        candidates=() if again is None else again.candidates,
        chances=() if again is None else again.chances,
        advantage=None if again is None else again.advantage,
        factors=() if again is None else again.factors,
        excluded=excluded,
        missing=_missing(kept, use_case, known is not None, again is not None),
    )


def _as_decided(use_case: UseCase, kept: KeptDecision) -> UseCase:
    """The use case with the policy that decided: that of its champion, or its own."""
    by_champion = (
        kept.said.variant == decisions.CHAMPION or ":champion/" in kept.said.policy_version
    )
    return (use_case.as_champion if by_champion else None) or use_case


def _known(stores: Stores, use_case: UseCase, kept: KeptDecision) -> Known | None:
    row, told, group = kept.row, kept.known, kept.row["variant"]
    if told is None or len(told["values"]) != use_case.feature_count:
        return None
    profile = np.array([row["profile_id"]], dtype=np.int64)
    if group == decisions.SHADOW:
        group = str(decisions.variants(use_case, profile)[0])
    cooled = told.get("cooled") or [0] * len(use_case.dimensions)
    if not kept.asked:
        cooled = decisions.cooled(stores, use_case, row["day"], profile)[0].tolist()
    return Known(
        day=row["day"],
        group=group,
        action=tuple(row["action"]),
        values=tuple(told["values"]),
        eligible=tuple(row["eligible"]),
        allowed=tuple(told.get("eligible") or row["eligible"]),
        cooled=tuple(cooled),
        forbidden=told["forbidden"] or 0,
        recent=tuple(told.get("recent") or ()),
        shadow_price=row["shadow_price"],
        asked=kept.asked,
    )


def _asks_consent(stores: Stores, use_case: UseCase) -> bool:
    with stores.state.transaction() as connection:
        consent = profiles.consent_rules(connection)
    return decisions.purpose_of(use_case, consent) is not None


def _group(kept: KeptDecision, use_case: UseCase | None) -> str:
    variant = kept.said.variant
    said = {
        "control": "It is in control: decided for like the others, and nothing is sent.",
        "shadow": "The use case was in shadow: it is decided, and nothing is sent to anybody.",
        "random": "It is in the random group: any action it may get is as likely as another.",
    }.get(variant, f"It is in {variant}: what was chosen is sent.")
    if use_case is None:
        return said
    if variant == decisions.CHAMPION and use_case.champion_policy:
        said = (
            "It is in the champion's group: the policy that is the champion, "
            f"'{use_case.champion_policy}', chose for it, beside the use case's own policy "
            "for treatment. What was chosen is sent."
        )
    shares = decisions.expected_shares(use_case)
    if variant not in shares:
        return said
    return (
        f"{said} A hash of use case and profile puts {shares[variant]:.1%} of profiles there, "
        "always the same ones."
    )


def _values(use_case: UseCase | None, known: Known | None) -> dict[str, float | None]:
    if use_case is None or known is None:
        return {}
    return {
        name: None if value != value else value
        for name, value in zip(use_case.feature_names, known.values, strict=True)
    }


def _missing(kept: KeptDecision, use_case: UseCase | None, known: bool, again: bool) -> str:
    if use_case is None:
        return f"The definition of version {kept.said.version} cannot be read any more."
    if not known:
        return "What was known of the profile when this was decided is not kept any more."
    if not again:
        return (
            f"The policy {kept.said.policy_version} is not kept any more: policies are dropped "
            f"{learning.KEEP_DAYS} days after they decided. The probability that was logged stays."
        )
    return ""
