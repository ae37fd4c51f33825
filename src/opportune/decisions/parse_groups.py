"""Read how the people of a use case, or of all of them, are put into groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from opportune.decisions.model import Dimension, UseCase
from opportune.documents import Document
from opportune.errors import nearest

__all__ = ["parse_holdout", "read_groups"]

MOST_HELD_OUT = 0.5
# Always one action: that is `champion`, and no other policy can learn from its log.
FIXED = "fixed"


def read_groups(groups: Document, use_case: UseCase) -> UseCase:
    """Read ``[groups]`` into ``use_case``, whose dimensions are known."""
    champion = groups.table("champion", required=False) if "champion" in groups.body else None
    groups.optional("champion")
    policy, settings = _policy(groups)
    found = replace(
        use_case,
        control_share=groups.number("control_share", 0.1, low=0.0, high=0.9),
        random_share=groups.number("random_share", 0.0, low=0.0, high=0.5),
        champion_share=groups.number("champion_share", 0.0, low=0.0, high=0.5),
        exploration_min=groups.number("exploration_min", 0.0, low=0.0, high=0.5),
        aa=groups.flag("aa", default=False),
        champion=() if champion is None else _action(champion, use_case.dimensions),
        champion_policy=policy,
        champion_settings=settings,
        champion_learns=groups.flag("champion_learns", default=True),
    )
    _check_champion(groups, found)
    together = found.control_share + found.random_share + found.champion_share
    if together >= 1:
        groups.wrong(
            "control_share",
            f"control_share {found.control_share:g}, random_share {found.random_share:g} and "
            f"champion_share {found.champion_share:g} given, must be below 1 together.",
        )
    return found


def parse_holdout(body: Mapping[str, object], problems: list[str], *, where: str) -> float:
    """Read ``[holdout]``: the share of all people whom no use case sends anything.

    >>> parse_holdout({"share": 0.05}, [], where="opportune.toml: holdout")
    0.05
    """
    document = Document(body, where, problems)
    share = document.number("share", 0.0, low=0.0, high=MOST_HELD_OUT)
    document.close()
    return share


def _policy(groups: Document) -> tuple[str, Mapping[str, object]]:
    """The policy that is the champion and its settings, as in ``[policy]``; "": none."""
    if "champion_policy" not in groups.body:
        groups.optional("champion_policy")
        return "", {}
    policy = groups.table("champion_policy")
    return policy.text("name"), {key: each for key, each in policy.body.items() if key != "name"}


def _check_champion(groups: Document, found: UseCase) -> None:
    action, policy = "champion" in groups.body, "champion_policy" in groups.body
    if action and policy:
        groups.wrong(
            "champion_policy",
            "given beside the action of a champion; a champion is one action or one policy.",
        )
    elif (action or policy) != (found.champion_share > 0):
        groups.wrong(
            "champion",
            f"champion_share {found.champion_share:g} given "
            f"{'with' if action or policy else 'without'} the action or the policy of a champion; "
            'give both, such as champion_share = 0.1 and champion = { offer = "ten_percent" }, or '
            'champion_policy = { name = "epsilon_greedy" }.',
        )
    if found.champion_policy == FIXED:
        groups.wrong("champion_policy", "'fixed' given; name its action as champion = { ... }.")
    if not found.champion_learns and not policy:
        groups.wrong("champion_learns", "given without champion_policy; an action learns nothing.")


def _action(champion: Document, dimensions: Sequence[Dimension]) -> tuple[str, ...]:
    """One option of every dimension; a mistake is noted, and there is no champion then."""
    before, names = len(champion.problems), []
    for dimension in dimensions:
        name = champion.text(dimension.name)
        options = [option.name for option in dimension.options]
        if name and name not in options:
            champion.wrong(dimension.name, f"no option {name!r}. {nearest(name, options)}")
        names.append(name)
    champion.close()
    return tuple(names) if len(champion.problems) == before else ()
