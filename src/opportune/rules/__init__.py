"""One language for conditions on a profile's traits, with one meaning in Python and in SQL.

A rule is written as a table (TOML or JSON) in one of these forms::

    {trait = "plan", is = "basic"}          is, is_not: a text, a number or true/false
    {trait = "plan", one_of = ["a", "b"]}   texts or numbers, of one kind
    {trait = "age", at_least = 18}          at_least, at_most, more_than, less_than: a number
    {trait = "email", exists = true}        exists: there and not null
    {all = [...]}   {any = [...]}   {not = {...}}

What is true of every rule:

- ``holds(rule, traits)`` and ``to_sql(rule)`` give the same answer for the same traits.
- Comparisons are typed. A trait that is missing, null or of another kind makes every comparison
  false, ``is_not`` too: it asks for a trait of that kind with another value.
- Numbers compare as doubles, whole or not; beyond the range of a double they are infinite, and NaN
  makes every comparison false. Texts compare exactly.
- The answer is true or false, never unknown, so ``not`` always turns it around.
- A trait name is one name at the top level, whatever dots, quotes or slashes it contains.
- What a person wrote reaches SQL as bound parameters only.
"""

from opportune.rules.holds import holds
from opportune.rules.model import (
    AllOf,
    AnyOf,
    Compare,
    Exists,
    InvalidRule,
    Kind,
    Not,
    OneOf,
    Operator,
    Rule,
    Sql,
    Value,
)
from opportune.rules.parse import parse
from opportune.rules.to_sql import pointer, to_sql
from opportune.rules.traits_used import traits_used
from opportune.rules.words import words

__all__ = [
    "AllOf",
    "AnyOf",
    "Compare",
    "Exists",
    "InvalidRule",
    "Kind",
    "Not",
    "OneOf",
    "Operator",
    "Rule",
    "Sql",
    "Value",
    "holds",
    "parse",
    "pointer",
    "to_sql",
    "traits_used",
    "words",
]
