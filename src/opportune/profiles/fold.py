"""Who belongs together: a pure fold over links, in the order in which things happened.

The same links and cuts give the same groups, whatever order they became known in. A link joins the
groups of its two identifiers unless that would break a promise; then it is set aside, with the
reason, and changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from opportune.profiles.model import Reason
from opportune.profiles.rules import USER_ID, IdentityRules

__all__ = ["Evidence", "Folded", "KnownIdentifier", "Severed", "fold"]

DECIDED = "decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIdentifier:
    """An identifier as the fold sees it; ``sighted_at_us`` is when a message first named it."""

    identifier_id: int
    kind: str
    value: str
    sighted_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Two identifiers were seen together; ``settled`` links hold, and are not asked about again.

    Of several messages that say the same, the first by (``occurred_at_us``, ``message_id``) counts.
    """

    owner_id: int
    other_id: int
    occurred_at_us: int
    message_id: str
    source_id: str
    rule: str
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Severed:
    """A cut: its identifier is never in one group with its anchor, nor linked to ``apart_from``."""

    cut_id: int
    identifier_id: int
    anchor_id: int
    apart_from: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What came of it.

    ``profile_of`` names each identifier's group by its first identifier: of the kind of highest
    priority the one that was sighted first. ``link_of`` is what brought an identifier to it; the
    first identifier has none. ``set_aside`` has the reason, or None, of every link that was asked.
    """

    profile_of: Mapping[int, int]
    link_of: Mapping[int, Evidence]
    set_aside: Mapping[tuple[int, int], Reason | None]


@dataclass(slots=True)
class _Group:
    """Identifiers that belong together so far."""

    first: tuple[tuple[int, str], int, str]
    first_id: int
    members: list[int]
    counts: Counter[str]
    # Cuts whose identifier is in it, and cuts whose anchor is.
    cut: set[int] = field(default_factory=set)
    anchored: set[int] = field(default_factory=set)


def fold(
    identifiers: Iterable[KnownIdentifier],
    links: Iterable[Evidence],
    cuts: Sequence[Severed],
    rules: IdentityRules,
) -> Folded:
    """Return who belongs together; each of ``links`` must be between two of ``identifiers``."""
    known = {each.identifier_id: each for each in identifiers}
    group_of = {each.identifier_id: _alone(each, rules) for each in known.values()}
    severed = _severed_pairs(cuts, group_of)
    link_of: dict[int, Evidence] = {}
    set_aside: dict[tuple[int, int], Reason | None] = {}

    def order(link: Evidence) -> tuple[int, str, tuple[int, str], str, int]:
        other = known[link.other_id]
        return (
            link.occurred_at_us,
            link.message_id,
            rules.rank(other.kind),
            other.value,
            link.owner_id,
        )

    for link in sorted(links, key=order):
        one, two = group_of[link.owner_id], group_of[link.other_id]
        if not link.settled:
            direct = frozenset((link.owner_id, link.other_id)) in severed
            reason = "cut" if direct else _reason(link, one, two, rules)
            set_aside[link.owner_id, link.other_id] = reason
            if reason is not None:
                continue
        if one is not two:
            _join(one, two, link, group_of, link_of)
    return Folded(
        profile_of={each: group.first_id for each, group in group_of.items()},
        link_of=link_of,
        set_aside=set_aside,
    )


def _alone(identifier: KnownIdentifier, rules: IdentityRules) -> _Group:
    return _Group(
        first=(rules.rank(identifier.kind), identifier.sighted_at_us, identifier.value),
        first_id=identifier.identifier_id,
        members=[identifier.identifier_id],
        counts=Counter((identifier.kind,)),
    )


def _severed_pairs(cuts: Sequence[Severed], group_of: Mapping[int, _Group]) -> set[frozenset[int]]:
    """Return the pairs of identifiers whose links count for nothing, and mark the groups."""
    for each in cuts:
        if each.identifier_id in group_of:
            group_of[each.identifier_id].cut.add(each.cut_id)
        if each.anchor_id in group_of:
            group_of[each.anchor_id].anchored.add(each.cut_id)
    return {frozenset((each.identifier_id, other)) for each in cuts for other in each.apart_from}


def _reason(link: Evidence, one: _Group, two: _Group, rules: IdentityRules) -> Reason | None:
    """Return why the two groups may not become one."""
    if one is two:
        return None
    if one.cut & two.anchored or two.cut & one.anchored:
        return "apart"
    if link.rule == DECIDED:
        return None
    if one.counts[USER_ID] and two.counts[USER_ID]:
        return "two_known"
    fewer, more = sorted((one.counts, two.counts), key=len)
    if any(count + more[kind] > rules.limit(kind) for kind, count in fewer.items() if more[kind]):
        return "limit"
    if len(one.members) + len(two.members) > rules.most_identifiers:
        return "size"
    return None


def _join(
    one: _Group,
    two: _Group,
    link: Evidence,
    group_of: dict[int, _Group],
    link_of: dict[int, Evidence],
) -> None:
    """Make one group of two; whoever belongs to another first identifier from now on is linked."""
    later = one if two.first < one.first else two
    for each in later.members:
        link_of[each] = link
    into, gone = (one, two) if len(one.members) >= len(two.members) else (two, one)
    into.first, into.first_id = min((one.first, one.first_id), (two.first, two.first_id))
    for each in gone.members:
        group_of[each] = into
    into.members += gone.members
    into.counts += gone.counts
    into.cut |= gone.cut
    into.anchored |= gone.anchored
