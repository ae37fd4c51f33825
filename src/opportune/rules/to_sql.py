"""Ask a rule of every profile at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from opportune.rules.binding import binding
from opportune.rules.model import Rule, Sql
from opportune.rules.scope import of_profiles
from opportune.rules.statement import Statement

__all__ = ["to_sql"]

NOTHING: Mapping[str, str] = MappingProxyType({})


def to_sql(
    rule: Rule,
    *,
    now: datetime,
    prefix: str = "rule",
    sources: Mapping[str, str] = NOTHING,
) -> Sql:
    """Turn the rule into one statement in DuckDB's dialect that names whom it holds for.

    It yields ``profile_id``, each once and in order. It reads those of these relations that
    ``relations`` of the answer names:

    - ``profiles(profile_id, traits)``: every profile once; ``traits`` as `condition` has them;
    - ``events(profile_id, event, occurred_at_us, message_id, properties)``: every event once, with
      the profile it belongs to; ``properties`` is the text of a JSON object or null;
    - ``members(profile_id, segment)``: who is in which segment now.

    Events are read once for all counts, once for each sequence, and once to find sessions. What a
    person wrote, and every moment that follows from ``now``, is a bound parameter.

    Parameters
    ----------
    prefix:
        Begins the names of parameters and of inner queries.
    sources:
        A query for each relation that has no table of that name.

    >>> from datetime import UTC
    >>> from opportune.rules import parse
    >>> vip = parse({"trait": "vip", "exists": True}, where="rule")
    >>> print(to_sql(vip, now=datetime(2026, 3, 1, tzinfo=UTC)).text)
    select distinct base.profile_id as profile_id
    from profiles as base
    where coalesce(try(json_type(base.traits, $rule_1)) <> 'NULL', false)
    order by profile_id
    """
    statement = Statement(values=binding(prefix=prefix, now=now), sources=sources)
    text = statement.text(of_profiles(rule, statement))
    return Sql(
        text=text,
        parameters=statement.values.parameters,
        relations=frozenset(statement.relations),
    )
