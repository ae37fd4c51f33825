"""The rows of the builder's form: options with one condition each, features, limits, guard rails.

    fields as typed -> a table of the use case's file -> fields

What a row cannot show (a rule of several conditions) is carried along until somebody replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opportune import rules
from opportune.web.asking import Fields

__all__ = [
    "OPERATORS",
    "number",
    "option_rows",
    "read_caps",
    "read_champion",
    "read_cooldowns",
    "read_features",
    "read_forbidden",
    "read_options",
    "read_rails",
    "tables",
    "written_action",
    "written_features",
    "written_forbidden",
]

MOST_OPTIONS = 64
MOST_ROWS = 20
FEWEST_EMPTY = 2
OPERATORS: Mapping[str, str] = {
    "is": "is",
    "is_not": "is not",
    "one_of": "is one of",
    "at_least": "is at least",
    "at_most": "is at most",
    "more_than": "is more than",
    "less_than": "is less than",
    "contains": "contains",
    "exists": "is known (true or false)",
}
OPTION = ("name", "cost", "cost_due", "days", "valid_from", "valid_until", "nothing", "eligible")
TEXTS = ("cost_due", "valid_from", "valid_until")

Row = dict[str, Any]


def option_rows(options: object) -> list[dict[str, str]]:
    """Return each option as fields, and an empty one to go on with; two where there is none."""
    shown = [_option_row(each) for each in tables(options)]
    return [*shown, *(_option_row({}) for _ in range(1 if shown else FEWEST_EMPTY))]


def read_options(form: Fields, prefix: str, kept: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Read the options of the dimension whose fields begin with ``prefix``.

    ``kept`` are those of before: what has no field stays with the option of the same place.
    """
    found = []
    for place in range(MOST_OPTIONS):
        at = f"{prefix}-option-{place}"
        name = form.get(f"{at}-name")
        if not name:
            continue
        before = kept[place] if place < len(kept) else {}
        row: Row = {key: value for key, value in before.items() if key not in OPTION}
        row |= {"name": name}
        for key in ("cost", "days"):
            if typed := form.get(f"{at}-{key}"):
                row[key] = number(typed)
        row |= {key: typed for key in TEXTS if (typed := form.get(f"{at}-{key}"))}
        if row.get("cost_due") == "sent":
            del row["cost_due"]
        if form.get(f"{at}-nothing"):
            row["nothing"] = True
        rule = _rule(form, at, before.get("eligible"))
        found.append(row if rule is None else {**row, "eligible": rule})
    return found


def read_features(text: str) -> list[object]:
    """Read features, a line each: a trait, or a trait with the texts to tell apart.

    >>> read_features("age\\nplan: basic, plus")
    ['age', {'trait': 'plan', 'one_of': ['basic', 'plus']}]
    """
    found: list[object] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        trait, colon, values = line.rpartition(": ") if ": " in line else (line, "", "")
        found.append({"trait": trait.strip(), "one_of": _listed(values)} if colon else line)
    return found


def written_features(features: object) -> str:
    """Write features as `read_features` reads them."""
    given = features if isinstance(features, list) else []
    return "\n".join(
        f"{each.get('trait', '')}: {', '.join(map(str, each.get('one_of') or ()))}"
        if isinstance(each, Mapping) and each.get("one_of") is not None
        else str(each.get("trait", "") if isinstance(each, Mapping) else each)
        for each in given
    )


def read_forbidden(text: str, kept: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Read combinations that may never be, a line each; a condition stays with its line.

    >>> read_forbidden("offer = half_price, channel = sms", [])
    [{'options': {'offer': 'half_price', 'channel': 'sms'}}]
    """
    before = {_forbidden_line(each): each for each in kept}
    found: list[Row] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line in before:
            found.append(dict(before[line]))
            continue
        pairs = (part.partition("=") for part in line.split(","))
        options = {name.strip(): _one_or_more(value) for name, _, value in pairs}
        found.append({"options": options})
    return found


def written_forbidden(forbidden: object) -> str:
    """Write combinations as `read_forbidden` reads them; a condition is said in brackets."""
    return "\n".join(map(_forbidden_line, tables(forbidden)))


def read_champion(form: Fields, groups: Mapping[str, Any]) -> Row:
    """Read who is champion into the table of groups; settings stay with a policy of that name."""
    kept = ("champion", "champion_policy", "champion_learns")
    found: Row = {key: each for key, each in groups.items() if key not in kept}
    if policy := form.get("champion-policy"):
        before = groups.get("champion_policy")
        known = before if isinstance(before, Mapping) and before.get("name") == policy else {}
        found["champion_policy"] = {**known, "name": policy}
        if form.get("champion-stays"):
            found["champion_learns"] = False
    elif action := form.get("champion-action"):
        pairs = (part.partition("=") for part in action.split(",") if part.strip())
        found["champion"] = {name.strip(): option.strip() for name, _, option in pairs}
    return found


def written_action(action: object) -> str:
    """Write an action as `read_champion` reads it."""
    given = action if isinstance(action, Mapping) else {}
    return ", ".join(f"{name} = {option}" for name, option in given.items())


def read_cooldowns(form: Fields) -> list[Row]:
    """Read what is not sent again within some days."""
    found = []
    for place in range(MOST_ROWS):
        days = form.get(f"cooldown-{place}-days")
        if not days:
            continue
        row: Row = {"days": number(days)}
        if dimension := form.get(f"cooldown-{place}-dimension"):
            row["dimension"] = dimension
        if options := _listed(form.get(f"cooldown-{place}-options")):
            row["options"] = options
        found.append(row)
    return found


def read_caps(form: Fields) -> list[Row]:
    """Read how many sends somebody gets at most within some days, of which use cases."""
    found = []
    for place in range(MOST_ROWS):
        sends = form.get(f"cap-{place}-sends")
        if not sends:
            continue
        row: Row = {"sends": number(sends)}
        if days := form.get(f"cap-{place}-days"):
            row["days"] = number(days)
        if form.get(f"cap-{place}-across"):
            row["across"] = True
        found.append(row)
    return found


def read_rails(form: Fields) -> list[Row]:
    """Read guard rails: a metric, which way, a limit, and how many days are looked at."""
    found = []
    for place in range(MOST_ROWS):
        metric = form.get(f"rail-{place}-metric")
        if not metric:
            continue
        row: Row = {"metric": metric, "limit": number(form.get(f"rail-{place}-limit"))}
        row["direction"] = form.get(f"rail-{place}-direction") or "at_most"
        if days := form.get(f"rail-{place}-days"):
            row["days"] = number(days)
        found.append(row)
    return found


def number(text: str) -> float | int | str:
    """Return the number that was typed, or the text, which is a mistake of its field.

    >>> number("2.50"), number("7"), number("much")
    (2.5, 7, 'much')
    """
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def tables(value: object) -> Sequence[Mapping[str, Any]]:
    """Return the tables of a list, and nothing of what is none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _option_row(option: Mapping[str, Any]) -> dict[str, str]:
    row = {key: str(option.get(key, "")) for key in OPTION[:6]}
    row |= {"trait": "", "operator": "is", "value": "", "rule": ""}
    row["nothing"] = "on" if option.get("nothing") else ""
    rule = option.get("eligible")
    simple = _simple(rule)
    if simple is not None:
        row["trait"], row["operator"], row["value"] = simple
    elif rule is not None:
        row["rule"] = _words(rule)
    return row


def _simple(rule: object) -> tuple[str, str, str] | None:
    """The trait, operator and value of a rule with one condition that a row can show."""
    if not isinstance(rule, Mapping) or len(rule) != 2 or "trait" not in rule:
        return None
    (operator,) = (key for key in rule if key != "trait")
    value = rule[operator]
    if operator == "one_of" and isinstance(value, list) and all(map(_is_shown, value)):
        return str(rule["trait"]), operator, ", ".join(map(_shown, value))
    if operator in OPERATORS and not isinstance(value, list | Mapping):
        return str(rule["trait"]), operator, _shown(value)
    return None


def _is_shown(value: object) -> bool:
    return not isinstance(value, str) or "," not in value


def _rule(form: Fields, at: str, before: object) -> object:
    trait, operator = form.get(f"{at}-trait"), form.get(f"{at}-operator") or "is"
    if trait:
        typed = form.get(f"{at}-value")
        if operator == "one_of":
            return {"trait": trait, operator: [_value(each) for each in _listed(typed)]}
        return {"trait": trait, operator: _value(typed)}
    # What no row shows stays unless its box is emptied.
    return before if form.get(f"{at}-keeps") and _simple(before) is None else None


def _value(typed: str) -> object:
    """Read true, false and numbers as such; a text in quotes is a text.

    >>> _value("true"), _value("18"), _value('"18"'), _value("gold")
    (True, 18, '18', 'gold')
    """
    if typed in ("true", "false"):
        return typed == "true"
    if len(typed) > 1 and typed[0] == typed[-1] == '"':
        return typed[1:-1]
    return number(typed)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f'"{text}"' if isinstance(value, str) and _value(text) != value else text


def _words(rule: object) -> str:
    if not isinstance(rule, Mapping):
        return str(rule)
    try:
        return rules.words(rules.parse(rule, where="rule", traits_only=True))
    except rules.InvalidRule as error:
        return error.problems[0]


def _listed(text: str) -> list[str]:
    return [part for part in map(str.strip, text.split(",")) if part]


def _one_or_more(text: str) -> str | list[str]:
    parts = [part for part in map(str.strip, text.split("|")) if part]
    return parts[0] if len(parts) == 1 else parts


def _forbidden_line(each: Mapping[str, Any]) -> str:
    options = each.get("options")
    pairs = ", ".join(_pairs(options)) if isinstance(options, Mapping) else ""
    return pairs if each.get("when") is None else f"{pairs} [only where {_words(each['when'])}]"


def _pairs(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        yield f"{name} = {' | '.join(map(str, value)) if isinstance(value, list) else value}"
