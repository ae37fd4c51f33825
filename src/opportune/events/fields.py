"""Which fields say who somebody is: classes of properties and traits, found and declared.

A field is *personal* (it identifies somebody), *sensitive* (nobody may be treated by it) or *free*.
What a project declares counts first; then what the name says; then what its values look like.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

from opportune.documents import Document

__all__ = [
    "ALWAYS_PERSONAL",
    "CLASSES",
    "PERSONAL_ENDINGS",
    "PERSONAL_TRAITS",
    "SENSITIVE_WORDS",
    "FieldClass",
    "FieldClasses",
    "field_class",
    "is_personal",
    "masked",
    "name_class",
    "read_classes",
]

CLASSES = ("personal", "sensitive", "free")
# Identifies a person by itself: personal, whatever a project declares.
ALWAYS_PERSONAL = frozenset(
    {"address", "birthday", "email", "firstName", "first_name", "lastName", "last_name"}
    | {"ip", "name", "phone", "username"}
)
# A name that ends in these words is personal: `email`, `billingEmail`, `contact_phone_number`.
PERSONAL_ENDINGS = frozenset(
    {
        *("account number", "birth date", "birthdate", "birthday", "card number", "date of birth"),
        *("dob", "e mail", "email", "email address", "family name", "first name", "full name"),
        *("given name", "iban", "ip", "ip address", "last name", "mobile number"),
        *("passport number", "phone", "phone number", "postal address", "social security number"),
        *("ssn", "street", "street address", "surname", "tax id", "telephone", "username"),
    }
)
# A trait of exactly this name is personal; as a property it may well be a product's.
PERSONAL_TRAITS = frozenset({"address", "avatar", "name", "user name"})
# A name with one of these words in it is sensitive.
SENSITIVE_WORDS = frozenset(
    {
        *("allergies", "allergy", "diagnosis", "disability", "disease", "ethnicity", "gender"),
        *("health", "illness", "medical", "medication", "medicine", "patient", "political"),
        *("pregnancy", "pregnant", "prescription", "race", "religion", "sexual", "sexuality"),
        *("symptom", "symptoms", "therapy"),
    }
)
# From the character before the sign on: a search from further left takes long texts ever longer.
EMAIL = re.compile(r"[^@\s]@[^@\s]+\.[A-Za-z]{2,}")
PHONE = re.compile(r"\+[0-9][0-9 ()./-]{5,17}[0-9]")
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}")
IBAN_DIGITS = 12
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
SEPARATORS = re.compile(r"[\W_]+")
# IBANs, phone numbers and addresses of machines are shorter than that.
LONGEST_NUMBER = 64
INSPECTED_CHARACTERS = 2_000
HIDDEN = "(hidden)"
SAMPLE_CHARACTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldClass:
    """The class of one field; ``because`` is "declared", "name", "value", or "" for no reason."""

    name: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldClasses:
    """What a project declares: the class of each property and trait that it names."""

    properties: Mapping[str, str] = field(default_factory=dict)
    traits: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: str, name: str) -> str | None:
        """Return the class declared for a "property" or "trait", None without one."""
        return (self.traits if kind == "trait" else self.properties).get(name)

    def named(self, kind: str, class_: str) -> frozenset[str]:
        """Return the names that are declared to be of a class."""
        declared = self.traits if kind == "trait" else self.properties
        return frozenset(name for name, each in declared.items() if each == class_)

    def lists(self, kind: str) -> dict[str, list[str]]:
        """Return the names by class, as they are declared; classes without a name are left out."""
        named = {class_: sorted(self.named(kind, class_)) for class_ in CLASSES}
        return {class_: names for class_, names in named.items() if names}


def read_classes(document: Document, kind: str) -> dict[str, str]:
    """Read ``personal``, ``sensitive`` and ``free``, lists of names; a name may be in one.

    ``kind`` is "property" or "trait". A trait of `ALWAYS_PERSONAL` stays so whatever is declared.
    """
    personal = ALWAYS_PERSONAL if kind == "trait" else ()
    classes: dict[str, str] = {}
    for each in CLASSES:
        for name in document.texts(each, ()):
            if classes.setdefault(name, each) != each:
                document.wrong(each, f"'{name}' is {classes[name]} as well. Keep it in one list.")
            if each != "personal" and name in personal:
                document.wrong(each, f"'{name}' identifies a person and stays personal.")
    document.close()
    return classes


def field_class(
    kind: str, name: str, *, declared: FieldClasses, personal_values: int = 0
) -> FieldClass:
    """Class a "property" or "trait": as declared, else by its name, else by its values.

    ``personal_values`` is how many of its values look like those of a person (`is_personal`).

    >>> field_class("trait", "billingEmail", declared=FieldClasses())
    FieldClass(name='personal', because='name')
    >>> field_class("trait", "billingEmail", declared=FieldClasses(traits={"billingEmail": "free"}))
    FieldClass(name='free', because='declared')
    """
    if said := declared.of(kind, name):
        return FieldClass(name=said, because="declared")
    if told := name_class(kind, name):
        return FieldClass(name=told, because="name")
    if personal_values:
        return FieldClass(name="personal", because="value")
    return FieldClass(name="free", because="")


@lru_cache(maxsize=65_536)
def name_class(kind: str, name: str) -> str | None:
    """Return the class that the name alone tells, if it tells any."""
    words = SEPARATORS.sub(" ", CAMEL.sub(" ", name)).lower().split()
    if SENSITIVE_WORDS.intersection(words):
        return "sensitive"
    endings = (" ".join(words[at:]) for at in range(max(0, len(words) - 3), len(words)))
    if any(ending in PERSONAL_ENDINGS for ending in endings):
        return "personal"
    return "personal" if kind == "trait" and " ".join(words) in PERSONAL_TRAITS else None


def is_personal(value: str) -> bool:
    """Say whether a text has an email address in it, or is a phone number, an IBAN or an IP.

    >>> [is_personal(text) for text in ("write to ana@shop.example", "+49 30 901820", "1.10.2")]
    [True, True, False]
    """
    if "@" in value and EMAIL.search(value[:INSPECTED_CHARACTERS]):
        return True
    if len(value) > LONGEST_NUMBER:
        return False
    if PHONE.fullmatch(value) or _is_address(value):
        return True
    return IBAN.fullmatch(value) is not None and sum(map(str.isdigit, value)) >= IBAN_DIGITS


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def masked(value: str, field: FieldClass) -> str:
    """Return what may be shown of a value: of a personal text its form, of a sensitive one nothing.

    >>> masked("ana99@shop.example", FieldClass(name="personal", because="name"))
    'xxx99@xxxx.xxxxxxx'
    """
    cut = value[:SAMPLE_CHARACTERS]
    if field.name == "free":
        return cut
    return HIDDEN if field.name == "sensitive" else _form(cut)


def _form(text: str) -> str:
    return "".join("9" if each.isdigit() else "x" if each.isalpha() else each for each in text)
