"""What stays of a person who is made anonymous: what reports and rules read, if it names nobody."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from opportune.events import FieldClasses, field_class
from opportune.events.fields import is_personal
from opportune.project import Project
from opportune.rules import Rule, uses

__all__ = ["Kept", "kept_fields"]

# Our own, in every event about a decision.
OURS = frozenset({"connector", "decision_id", "use_case"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Names of properties and traits that stay; everything else of the person's events goes."""

    properties: frozenset[str] = OURS
    traits: frozenset[str] = frozenset()
    classes: FieldClasses = field(default_factory=FieldClasses)

    def properties_of(self, text: str | None) -> str | None:
        """Return the JSON object ``text`` with what may stay: nothing that looks like a person's.

        Lists and objects stay where the project declares them free.
        """
        if text is None:
            return None
        try:
            said = msgspec.json.decode(text, type=dict[str, object])
        except msgspec.DecodeError:
            return None
        kept = {name: value for name, value in said.items() if self._may_stay(name, value)}
        return msgspec.json.encode(kept).decode()

    def _may_stay(self, name: str, value: object) -> bool:
        if name not in self.properties:
            return False
        if isinstance(value, dict | list):
            return self.classes.of("property", name) == "free"
        return not isinstance(value, str) or name in OURS or not is_personal(value)


def kept_fields(defined: Project) -> Kept:
    """Return what the definitions in force read, or declare to be free, and what names nobody."""
    properties = {name for each in defined.metrics.values() for _, name in each.properties}
    traits: set[str] = set()
    for rule in _rules(defined):
        used = uses(rule)
        properties |= {name for _, name in used.properties}
        traits |= used.traits
    for use_case in defined.use_cases.values():
        traits |= {feature.trait for feature in use_case.features}
    classes = defined.classes
    properties |= classes.named("property", "free")
    traits |= classes.named("trait", "free")
    return Kept(
        properties=OURS | _free("property", properties, classes),
        traits=_free("trait", traits, classes),
        classes=classes,
    )


def _rules(defined: Project) -> list[Rule]:
    own = [rule for use_case in defined.use_cases.values() for _, rule in use_case.conditions]
    return [*(segment.rule for segment in defined.segments.values()), *own]


def _free(kind: str, names: set[str], classes: FieldClasses) -> frozenset[str]:
    return frozenset(
        name for name in names if field_class(kind, name, declared=classes).name == "free"
    )
