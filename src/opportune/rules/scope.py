"""What a rule is asked of, a profile or one session, and the query that answers for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from opportune.rules.chains_sql import chain_query
from opportune.rules.condition import junction, leaf_expression
from opportune.rules.counts import Counts
from opportune.rules.model import (
    AllOf,
    AnyOf,
    Happened,
    InSession,
    Member,
    Not,
    Rule,
    Sequence,
)
from opportune.rules.statement import Columns, Statement

__all__ = ["of_profiles"]

PROFILES = (
    "select distinct base.profile_id as profile_id\nfrom {base} as base{joins}\nwhere {where}"
)
JOIN = "\nleft join {query} as {alias} on {on}"
MEMBERS = "select profile_id{columns}\nfrom {source} as members\nwhere {where}\ngroup by profile_id"
MEMBER = "max(case when segment = {segment} then 1 else 0 end) as g{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """What is asked of each of ``keys``; ``counts`` and ``joins`` grow while the rule is read.

    ``joins`` are queries to read beside the base, by all keys; ``counted_as`` says which has the
    counts.
    """

    statement: Statement
    name: str
    keys: tuple[str, ...]
    counts: Counts
    counted_as: str
    joins: dict[str, str] = field(default_factory=dict)
    segments: dict[str, int] = field(default_factory=dict)


def of_profiles(rule: Rule, statement: Statement) -> str:
    """Write the query that names every profile that the rule holds for."""
    counts = Counts(values=statement.values, columns=Columns())
    scope = _Scope(
        statement=statement,
        name="",
        keys=("profile_id",),
        counts=counts,
        counted_as="counted",
    )
    where = _ask(rule, scope)
    if counts.counted:
        matched = counts.matched(statement.relation("events"))
        scope.joins["counted"] = statement.query("counted", counts.query(matched, "profile_id"))
    if scope.segments:
        scope.joins["memberships"] = statement.query("memberships", _members(scope))
    base = statement.relation("profiles")
    return f"{_select(scope, base, where)}\norder by profile_id"


def _of_session(rule: Rule, statement: Statement, name: str) -> str:
    """Add the query that names every profile with a session that the rule holds for."""
    keys = ("profile_id", "session_at_us")
    counts = Counts(values=statement.values, columns=statement.marks)
    scope = _Scope(
        statement=statement, name=f"{name}_", keys=keys, counts=counts, counted_as="base"
    )
    where = _ask(rule, scope)
    counted = counts.query(statement.numbered("session_at_us"), ", ".join(keys))
    base = statement.query(f"{name}_counted", counted)
    return statement.query(name, _select(scope, base, where))


def _select(scope: _Scope, base: str, where: str) -> str:
    joins = "".join(
        JOIN.format(query=query, alias=alias, on=_on(scope, alias))
        for alias, query in scope.joins.items()
    )
    return PROFILES.format(base=base, joins=joins, where=where)


def _on(scope: _Scope, alias: str) -> str:
    return " and ".join(f"{alias}.{key} = base.{key}" for key in scope.keys)


def _ask(rule: Rule, scope: _Scope) -> str:
    match rule:
        case AllOf() | AnyOf():
            return junction(rule, [_ask(each, scope) for each in rule.rules])
        case Not():
            return f"(not {_ask(rule.rule, scope)})"
        case Happened():
            return scope.counts.ask(rule, scope.counted_as)
        case Sequence():
            alias = f"{scope.name}sequence{len(scope.joins) + 1}"
            query = chain_query(rule, scope.statement, name=alias, keys=scope.keys)
            scope.joins[alias] = query
            return f"{alias}.profile_id is not null"
        case InSession():
            alias = f"session{len(scope.joins) + 1}"
            scope.joins[alias] = _of_session(rule.rule, scope.statement, alias)
            return f"{alias}.profile_id is not null"
        case Member():
            number = scope.segments.setdefault(rule.segment, len(scope.segments) + 1)
            return f"coalesce(memberships.g{number}, 0) = 1"
        case _:
            return leaf_expression(rule, "base.traits", scope.statement.values)


def _members(scope: _Scope) -> str:
    values = scope.statement.values
    segments = {segment: values.bind(segment) for segment in scope.segments}
    columns = "".join(
        f",\n    {MEMBER.format(segment=segments[segment], number=number)}"
        for segment, number in scope.segments.items()
    )
    where = f"segment in ({', '.join(segments.values())})"
    source = scope.statement.relation("members")
    return MEMBERS.format(columns=columns, source=source, where=where)
