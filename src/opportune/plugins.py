"""Finds what other packages (and this one) offer through entry points, by group and name.

Nothing is imported until it is asked for, so a broken plugin harms only who names it.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from opportune.errors import Conflict, NotFound, Unsupported, nearest

__all__ = [
    "CONNECTORS",
    "ENGINES",
    "POLICIES",
    "AmbiguousPlugin",
    "BrokenPlugin",
    "UnknownPlugin",
    "load",
    "names",
]

CONNECTORS = "opportune.connectors"
ENGINES = "opportune.engines"
POLICIES = "opportune.policies"


class UnknownPlugin(NotFound):
    """No installed package offers this name in this group."""

    code = "unknown_plugin"


class BrokenPlugin(Unsupported):
    """A package offers the name, but what it points to cannot be used."""

    code = "broken_plugin"


class AmbiguousPlugin(Conflict):
    """Two installed packages offer the same name for different things."""

    code = "ambiguous_plugin"


def load(group: str, name: str) -> object:
    """Import and return what ``name`` points to in ``group``.

    >>> load("opportune.connectors", "braze").name
    'braze'

    Raises ``UnknownPlugin`` (with the nearest name), ``AmbiguousPlugin`` or ``BrokenPlugin``.
    """
    point = _the_one(group, name)
    try:
        return point.load()
    except Exception as cause:
        raise BrokenPlugin(
            f"Plugin {name!r} of {group} ({_origin(point)}) points to {point.value!r}, which cannot"
            f" be loaded: {type(cause).__name__}: {cause}. Repair or remove that package."
        ) from cause


def names(group: str) -> tuple[str, ...]:
    """List the names on offer in ``group``, sorted, without importing any of them."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def _the_one(group: str, name: str) -> EntryPoint:
    # An editable install can list the same entry point twice: only different targets clash.
    by_target = {point.value: point for point in entry_points(group=group, name=name)}
    if not by_target:
        raise UnknownPlugin(f"No plugin {name!r} in {group}. {nearest(name, names(group))}")
    if len(by_target) > 1:
        offers = " and ".join(
            f"{target!r} ({_origin(point)})" for target, point in sorted(by_target.items())
        )
        raise AmbiguousPlugin(
            f"Plugin {name!r} of {group} is offered as {offers}. Keep one of the packages."
        )
    return next(iter(by_target.values()))


def _origin(point: EntryPoint) -> str:
    return f"from {point.dist.name} {point.dist.version}" if point.dist else "from no package"
