"""What fields may be used for: policies that forbid classes and labels of fields for uses.

A field is a property or a trait. It has one class (`field_class`) and any labels that the project
gives it. A *use* is a way for its values to matter or to leave. Who is about to use fields asks
`forbidden_fields` first, every time: a class that values tell is known only once they came.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from opportune.documents import Document
from opportune.errors import Forbidden, nearest
from opportune.events.catalogue import OTHERS, Counts
from opportune.events.fields import ALWAYS_PERSONAL, CLASSES, FieldClasses, field_class
from opportune.storage import State, load_sql

__all__ = [
    "BUILT_IN",
    "USES",
    "Field",
    "FieldForbidden",
    "FieldPolicies",
    "FieldPolicy",
    "ForbiddenField",
    "Use",
    "counted_fields",
    "field_labels",
    "forbidden_fields",
    "known_fields",
    "parse_field_policies",
    "personal_fields",
]

USES: Mapping[str, str] = MappingProxyType(
    {
        "features": "what the policy of a use case knows, and the rules of its options",
        "targeting": "the rules of the segments that a use case picks people by",
        "activation": "what goes along with a message through a connector",
        "audiences": "the rules of an audience whose members are told to others",
        "destinations": "events and profiles that another system gets",
        "exports": "lists of people that somebody takes away as a file",
        "web": "what a page or an app is shown or changed by",
    }
)
# Of these, the name after the slash is that of a use case.
OF_USE_CASES = ("features", "targeting")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
NAMES = "Allowed: small letters, digits, _ and -, 63 at most, the first a letter or digit."
REASONS = {
    **{"declared": "as declared", "name": "by its name", "value": "by values that came"},
    **{"label": "as labelled", "source": "as a field that it is computed from"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A "property" (of any event, or of one) or a "trait"."""

    kind: str
    name: str
    event: str | None = None

    def __str__(self) -> str:
        of = f" of '{self.event}'" if self.event else ""
        return f"{self.kind} '{self.name}'{of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One of `USES`, and by whom: a use case, a connector, a destination."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPolicy:
    """No field of the classes and labels that it ``forbids`` may be put to the uses it names.

    ``applies_to`` has kinds of use ("destinations") and single uses ("activation/braze").
    """

    name: str
    title: str
    forbids: tuple[str, ...]
    applies_to: tuple[str, ...]

    def speaks_of(self, use: Use) -> bool:
        """Say whether it applies to this use."""
        return use.kind in self.applies_to or str(use) in self.applies_to


# In force in every project; whoever finds a field in the wrong class declares its class.
BUILT_IN = (
    FieldPolicy(
        name="personal-data",
        title="What identifies somebody never reaches a policy",
        forbids=("personal",),
        applies_to=("features",),
    ),
    FieldPolicy(
        name="sensitive-data",
        title="What nobody may be treated by is not decided by, and never leaves",
        forbids=("sensitive",),
        applies_to=("features", "activation", "audiences", "destinations", "exports", "web"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPolicies:
    """All policies in force, with the labels and classes that a project declares.

    ``labels`` are by the kind and the name of a field. ``sources`` has the fields that a trait is
    computed from, by its name: what they are, it is, unless its own class is declared.
    """

    policies: tuple[FieldPolicy, ...] = BUILT_IN
    labels: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    classes: FieldClasses = field(default_factory=FieldClasses)
    sources: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenField:
    """A field that a policy forbids for a use, for one ``label``, which may be its class.

    ``because`` is "declared", "name", "value", "label" or "source".
    """

    field: Field
    use: Use
    label: str
    because: str
    policy: str

    @property
    def message(self) -> str:
        """For people: what is forbidden by what, and what to do."""
        declare = ""
        doubtful = self.label in CLASSES and self.because in ("name", "value", "source")
        if doubtful and self.field.name not in ALWAYS_PERSONAL:
            declare = ", or declare it free in opportune.toml if that is a mistake"
        return (
            f"{self.field} is {self.label} ({REASONS[self.because]}), and policy "
            f"'{self.policy}' forbids {self.label} fields for {self.use.kind}. Use another field"
            f"{declare}."
        )


class FieldForbidden(Forbidden):
    """A field was about to be used against a policy; nothing was done.

    ``found`` has each case with whose use it is.
    """

    code = "field_forbidden"

    def __init__(self, found: Iterable[tuple[str, ForbiddenField]]) -> None:
        self.found = tuple(found)
        super().__init__("\n".join(f"{about}: {each.message}" for about, each in self.found))


def forbidden_fields(
    use: Use,
    fields: Iterable[Field],
    policies: FieldPolicies,
    *,
    personal: Collection[Field] = frozenset(),
) -> list[ForbiddenField]:
    """Return which ``fields`` may not be put to this ``use``, and why: nothing if all may.

    ``personal`` are those that values tell (`personal_fields`); without them only what is declared
    and what names tell is known.

    >>> letters = Use(kind="features", name="letters")
    >>> city, email = Field(kind="trait", name="city"), Field(kind="trait", name="email")
    >>> [each.message for each in forbidden_fields(letters, [city, email], FieldPolicies())]
    ["trait 'email' is personal (by its name), and policy 'personal-data' forbids personal \
fields for features. Use another field."]
    """
    speaking = [policy for policy in policies.policies if policy.speaks_of(use)]
    return [
        ForbiddenField(field=each, use=use, label=label, because=because, policy=policy.name)
        for each in dict.fromkeys(fields)
        for label, because in field_labels(each, policies, personal=personal).items()
        for policy in speaking
        if label in policy.forbids
    ]


def field_labels(
    field: Field, policies: FieldPolicies, *, personal: Collection[Field] = frozenset()
) -> dict[str, str]:
    """Return the class of a field, unless it is free, and its labels, each with the reason."""
    labels = _own_labels(field, policies, personal)
    if field.kind == "trait":
        declared = policies.classes.of("trait", field.name) is not None
        for source in policies.sources.get(field.name, ()):
            for label in _own_labels(source, policies, personal):
                if not (declared and label in CLASSES):
                    labels.setdefault(label, "source")
    return labels


def _own_labels(
    field: Field, policies: FieldPolicies, personal: Collection[Field]
) -> dict[str, str]:
    told = field in personal or replace(field, event=OTHERS) in personal
    found = field_class(
        field.kind, field.name, declared=policies.classes, personal_values=int(told)
    )
    labels = dict.fromkeys(policies.labels.get((field.kind, field.name), ()), "label")
    return labels if found.name == "free" else {found.name: found.because, **labels}


def personal_fields(state: State) -> frozenset[Field]:
    """Return the fields of the catalogue with values that look like those of a person.

    A property is there for each of its events, and once for any.
    """
    return frozenset(_catalogued(state, personal=True))


def known_fields(state: State) -> frozenset[Field]:
    """Return all fields of the catalogue, properties as `personal_fields` does."""
    return frozenset(_catalogued(state, personal=False))


def counted_fields(counts: Counts) -> tuple[frozenset[Field], frozenset[Field]]:
    """Return the fields of a micro-batch, and those of them with values as those of a person.

    For who sends events on while they come in: the catalogue has them only afterwards.
    """
    known = frozenset(_of_rows(counts.fields))
    return known, frozenset(_of_rows(row for row in counts.fields if row["personal_values"]))


def _catalogued(state: State, *, personal: bool) -> Iterator[Field]:
    rows = state.rows(load_sql("opportune.events", "known_fields"), {"personal": personal})
    return _of_rows(rows)


def _of_rows(rows: Iterable[Mapping[str, object]]) -> Iterator[Field]:
    for row in rows:
        kind, name = str(row["kind"]), str(row["name"])
        yield Field(kind=kind, name=name)
        if kind == "property":
            yield Field(kind=kind, name=name, event=str(row["event"]))


def parse_field_policies(
    body: Mapping[str, object],
    problems: list[str],
    *,
    classes: FieldClasses,
    use_cases: Collection[str] | None,
    more_labels: Collection[str] = (),
) -> FieldPolicies:
    """Read ``privacy.toml``; mistakes are added to ``problems`` and left out.

    Uses of use cases must be of one of ``use_cases``, of any if it is None. ``more_labels`` are
    those of other things than fields, which policies may forbid as well.

    >>> body = {
    ...     "fields": {"traits": {"income": ["money"]}},
    ...     "policies": {"no-money": {"forbids": ["money"], "applies_to": ["features"]}},
    ... }
    >>> found = parse_field_policies(body, [], classes=FieldClasses(), use_cases=())
    >>> found.policies[-1].name, dict(found.labels)
    ('no-money', {('trait', 'income'): ('money',)})
    """
    document = Document(body, "privacy.toml", problems)
    named = document.table("fields", required=False)
    labels = {
        **_labels(named.table("properties", required=False), "property"),
        **_labels(named.table("traits", required=False), "trait"),
    }
    named.close()
    known = {label for each in labels.values() for label in each} | set(more_labels)
    written = document.table("policies", required=False)
    policies = [
        _policy(name, written.table(name), known=known, use_cases=use_cases)
        for name in written.body
        if _is_free(name, written)
    ]
    document.close()
    return FieldPolicies(
        policies=(*BUILT_IN, *policies), labels=MappingProxyType(labels), classes=classes
    )


def _labels(document: Document, kind: str) -> dict[tuple[str, str], tuple[str, ...]]:
    labels = {}
    for name in document.body:
        labels[kind, name] = document.texts(name)
        for label in labels[kind, name]:
            if label in CLASSES:
                document.wrong(name, f"'{label}' is a class: declare it in opportune.toml.")
            elif not NAME.fullmatch(label):
                document.wrong(name, f"{label!r} given. {NAMES}")
    return labels


def _is_free(name: str, document: Document) -> bool:
    if name in {policy.name for policy in BUILT_IN}:
        document.wrong(name, "this policy is built in and stays. Take another name.")
        return False
    if not NAME.fullmatch(name):
        document.wrong(name, f"no name of a policy. {NAMES}")
    return True


def _policy(
    name: str, document: Document, *, known: Collection[str], use_cases: Collection[str] | None
) -> FieldPolicy:
    policy = FieldPolicy(
        name=name,
        title=document.text("title", name),
        forbids=document.texts("forbids"),
        applies_to=document.texts("applies_to"),
    )
    for key in ("forbids", "applies_to"):
        if document.body.get(key) == []:
            document.wrong(key, "[] given, must name one or more.")
    for label in policy.forbids:
        if label not in ("personal", "sensitive", *known):
            allowed = nearest(label, ("personal", "sensitive", *known))
            document.wrong("forbids", f"no field has the label '{label}'. {allowed}")
    for use in policy.applies_to:
        kind, _, of = use.partition("/")
        if kind not in USES or (not of and "/" in use):
            document.wrong("applies_to", f"{use!r} given. {nearest(kind, USES)}")
        elif use_cases is not None and of and kind in OF_USE_CASES and of not in use_cases:
            document.wrong("applies_to", f"no use case '{of}'. {nearest(of, use_cases)}")
    document.close()
    return policy
