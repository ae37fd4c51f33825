"""One language for conditions on a profile, with one meaning in Python and in SQL.

A rule is written as a table (TOML or JSON) in one of these forms::

    {trait = "plan", is = "basic"}          is, is_not: a text, a number or true/false
    {trait = "plan", one_of = ["a", "b"]}   texts or numbers, of one kind
    {trait = "age", at_least = 18}          at_least, at_most, more_than, less_than: a number
    {trait = "email", exists = true}        exists: there and not null
    {trait = "city", contains = "am"}       contains, starts_with, ends_with: a text
    {trait = "born", before = "2000-01-01"} before, after: an ISO date or time
    {trait = "due", in_next_days = 7}       in_last_days, in_next_days: a number of days
    {event = "Order Completed"}             with where, count, sum, within, since ...: see below
    {sequence = [{event = "Cart Added"}, {event = "Order Completed", within = {hours = 2}}]}
    {session = {...}}                       one session of which the inner rule holds
    {segment = "vip"}                       in that segment now
    {all = [...]}   {any = [...]}   {not = {...}}

``docs/how-to/write-a-segment.md`` shows each. Beside it stands the language of formulas, which
metrics are calculated with (`parse_formula`, `evaluate`). What is true of every rule:

- ``holds(rule, facts)`` and ``to_sql(rule, now=...)`` give the same answer for the same facts.
- Comparisons are typed. A field that is missing, null or of another kind makes every comparison
  false, ``is_not`` too: it asks for a field of that kind with another value.
- Numbers compare as doubles, whole or not; beyond the range of a double they are infinite, and NaN
  makes every comparison false. Texts compare exactly. Sums and averages are taken of numbers up to
  1e12 either way, each rounded to millionths, so that no order of adding changes them.
- Only a text that is an ISO date, or an ISO time with its offset from UTC, is a date. A date is its
  first moment in UTC; one written in a rule is the whole day.
- What happens after ``now`` has not happened. Events are in order of (time, message id), and
  "later" means later in that order. Both ends of every span of time count.
- The answer is true or false, never unknown, so ``not`` always turns it around.
- A field's name is one name at the top level, whatever dots, quotes or slashes it contains.
- What a person wrote reaches SQL as bound parameters only.
"""

from opportune.rules.binding import pointer
from opportune.rules.computed import (
    OF_EVENTS,
    Computation,
    Compute,
    computations,
    gives_text,
    span_us,
)
from opportune.rules.condition import condition, date_expression
from opportune.rules.formula import (
    FUNCTIONS,
    Called,
    Combined,
    Formula,
    Function,
    InvalidFormula,
    Named,
    Negative,
    Number,
    formula_text,
    names_in,
    nodes,
    replaced,
    without_tables,
)
from opportune.rules.formula_read import parse_formula
from opportune.rules.formula_units import Unit, check_formula, unit_of, unit_text
from opportune.rules.formula_values import evaluate
from opportune.rules.holds import holds
from opportune.rules.measure import Measure, measured
from opportune.rules.model import (
    AllOf,
    AnyOf,
    Compare,
    DateIs,
    DateNear,
    Event,
    EventsApart,
    Exists,
    Facts,
    Happened,
    InSession,
    InvalidRule,
    Match,
    Member,
    Not,
    OneOf,
    Rule,
    Sequence,
    SessionsApart,
    Sql,
    Step,
    TextIs,
    Value,
)
from opportune.rules.parse import parse
from opportune.rules.parse_events import AGGREGATES
from opportune.rules.past import SESSION_GAP_US
from opportune.rules.reach import Reach, reach
from opportune.rules.select import select
from opportune.rules.times import Moment, Span, Window
from opportune.rules.to_sql import to_sql
from opportune.rules.uses import Uses, depends_on_time, uses
from opportune.rules.wakes import wakes
from opportune.rules.words import words

__all__ = [
    "AGGREGATES",
    "FUNCTIONS",
    "OF_EVENTS",
    "SESSION_GAP_US",
    "AllOf",
    "AnyOf",
    "Called",
    "Combined",
    "Compare",
    "Computation",
    "Compute",
    "DateIs",
    "DateNear",
    "Event",
    "EventsApart",
    "Exists",
    "Facts",
    "Formula",
    "Function",
    "Happened",
    "InSession",
    "InvalidFormula",
    "InvalidRule",
    "Match",
    "Measure",
    "Member",
    "Moment",
    "Named",
    "Negative",
    "Not",
    "Number",
    "OneOf",
    "Reach",
    "Rule",
    "Sequence",
    "SessionsApart",
    "Span",
    "Sql",
    "Step",
    "TextIs",
    "Unit",
    "Uses",
    "Value",
    "Window",
    "check_formula",
    "computations",
    "condition",
    "date_expression",
    "depends_on_time",
    "evaluate",
    "formula_text",
    "gives_text",
    "holds",
    "measured",
    "names_in",
    "nodes",
    "parse",
    "parse_formula",
    "pointer",
    "reach",
    "replaced",
    "select",
    "span_us",
    "to_sql",
    "unit_of",
    "unit_text",
    "uses",
    "wakes",
    "without_tables",
    "words",
]
