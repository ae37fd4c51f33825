"""Which traits a rule reads: to check that they are declared, and to keep personal ones out."""

from __future__ import annotations

from opportune.rules.model import AllOf, AnyOf, Not, Rule

__all__ = ["traits_used"]


def traits_used(rule: Rule) -> frozenset[str]:
    """Name every trait that the rule's answer may depend on.

    >>> from opportune.rules import parse
    >>> vip = {"trait": "vip", "is": True}
    >>> rule = parse({"any": [{"trait": "age", "at_least": 18}, {"not": vip}]}, where="rule")
    >>> sorted(traits_used(rule))
    ['age', 'vip']
    """
    match rule:
        case AllOf() | AnyOf():
            return frozenset[str]().union(*(traits_used(each) for each in rule.rules))
        case Not():
            return traits_used(rule.rule)
        case _:
            return frozenset({rule.trait})
