"""The users of the workspace: who they are, what is written of them, what they did.

A user is a number: customers of the market keep their row, created users follow. A number is never
given again; who is gone leaves theirs empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from opportune.sandbox.model import braze_time
from opportune.simulate import Market

__all__ = ["RESERVED", "Counted", "People", "braze_id", "random_bucket"]

_RESERVED = (
    "first_name last_name email phone country language time_zone dob gender home_city "
    "current_location date_of_first_session date_of_last_session email_subscribe "
    "push_subscribe subscription_groups email_open_tracking_disabled "
    "email_click_tracking_disabled push_tokens devices apps uninstalled_at "
    "attributed_campaign attributed_source attributed_adgroup attributed_ad"
)
RESERVED = frozenset(_RESERVED.split())
CHUNK = 5000


@dataclass(slots=True, kw_only=True)
class Counted:
    """How often something was done, first and last."""

    first: datetime
    last: datetime
    count: int

    def add(self, at: datetime, count: int) -> None:
        """Count more of it."""
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.count += count


class People:
    """All users. Only the server's event loop changes them."""

    def __init__(self, market: Market, *, now: datetime) -> None:
        self.market = market
        self.born = now
        self.names: list[str | None] = market.user_ids.tolist()
        self.numbers: dict[str, int] = {
            name: number for number, name in enumerate(self.names) if name is not None
        }
        self.by_braze_id = {braze_id(name): number for name, number in self.numbers.items()}
        self.braze_ids: dict[int, str] = {}  # of users whose id does not follow from their name
        self.aliases: dict[tuple[str, str], int] = {}  # (label, name): written by name_alias
        self._aliases_of: dict[int, set[tuple[str, str]]] = {}
        self.fields: dict[int, dict[str, object]] = {}
        self.custom: dict[int, dict[str, object]] = {}  # None: taken away
        self.events: dict[int, dict[str, Counted]] = {}
        self.purchases: dict[int, dict[str, Counted]] = {}
        self.revenue: dict[int, float] = {}
        self.gone: set[int] = set()
        self.closed: dict[str, set[int]] = {"email": set(), "push": set()}  # who unsubscribed
        self.opted_in: dict[str, set[int]] = {"email": set(), "push": set()}
        self._changes = 0
        self._changed: dict[int, int] = {}
        self._market_emails = dict(
            zip(market.traits["email"].to_pylist(), range(len(self.names)), strict=True)
        )
        self._emails: dict[str, set[int]] = {}
        self._phones: dict[str, set[int]] = {}
        self._created: dict[int, datetime] = {}

    def create(self, name: str | None, *, now: datetime, made: str | None = None) -> int:
        """Add a user that is no customer of the market; without a name an anonymous one.

        ``made`` is the braze id they already have.
        """
        number = len(self.names)
        self.names.append(name)
        self._created[number] = now
        given = made or braze_id(name if name is not None else f"\0{number}")
        if name is not None:
            self.numbers[name] = number
        if name is None or given != braze_id(name) or given in self.by_braze_id:
            if given in self.by_braze_id and made is None:
                given = braze_id(f"\0{number}")
            self.braze_ids[number] = given
        self.by_braze_id[given] = number
        return number

    def braze_id_of(self, number: int) -> str:
        """The id the workspace gives this user."""
        own = self.braze_ids.get(number)
        return own if own is not None else braze_id(str(self.names[number]))

    def with_email(self, address: str) -> list[int]:
        """Everybody with this address, in the order they were made."""
        known = set(self._emails.get(address, ()))
        if address in self._market_emails:
            known.add(self._market_emails[address])
        return sorted(n for n in known if n not in self.gone and self.email_of(n) == address)

    def with_phone(self, phone: str) -> list[int]:
        """Everybody with this number, in the order they were made."""
        found = self._phones.get(phone, ())
        return sorted(n for n in found if self.fields.get(n, {}).get("phone") == phone)

    def email_of(self, number: int) -> str | None:
        """The address of this user."""
        written = self.fields.get(number)
        if written is not None and "email" in written:
            address = written["email"]
            return address if isinstance(address, str) else None
        if number < len(self.market.user_ids):
            return str(self.market.traits["email"][number].as_py())
        return None

    def write(self, number: int, fields: Mapping[str, object]) -> None:
        """Write profile fields as they are; what is None is taken away."""
        self.fields.setdefault(number, {}).update(fields)
        for key, index in (("email", self._emails), ("phone", self._phones)):
            value = fields.get(key)
            if isinstance(value, str):
                index.setdefault(value, set()).add(number)
        for channel in self.closed:
            state = fields.get(f"{channel}_subscribe")
            if state is not None:
                _member(self.closed[channel], number, state == "unsubscribed")
                _member(self.opted_in[channel], number, state == "opted_in")
        self.touch(number)

    def touch(self, number: int) -> None:
        """Note that this user was updated just now."""
        self._changes += 1
        self._changed[number] = self._changes

    def changed(self, number: int) -> int:
        """A number that is larger the later the user was updated; 0: never."""
        return self._changed.get(number, 0)

    def name_alias(self, key: tuple[str, str], number: int | None) -> None:
        """Let this (label, name) mean a user, or nobody any longer."""
        owner = self.aliases.pop(key, None)
        if owner is not None:
            self._aliases_of[owner].discard(key)
        if number is not None:
            self.aliases[key] = number
            self._aliases_of.setdefault(number, set()).add(key)
            self.touch(number)

    def aliases_of(self, number: int) -> list[tuple[str, str]]:
        """The (label, name) of every alias of a user, sorted."""
        return sorted(self._aliases_of.get(number, ()))

    def remove(self, number: int) -> None:
        """Delete a user with everything that is known of them."""
        name = self.names[number]
        self.by_braze_id.pop(self.braze_id_of(number), None)
        if name is not None and self.numbers.get(name) == number:
            del self.numbers[name]
        for key in self.aliases_of(number):
            self.name_alias(key, None)
        kept: tuple[dict[int, object], ...] = (
            self.fields,  # type: ignore[assignment]  # each maps a user to something
            self.custom,
            self.events,
            self.purchases,
            self.revenue,
        )
        for facts in kept:
            facts.pop(number, None)
        for states in (*self.closed.values(), *self.opted_in.values()):
            states.discard(number)
        self.names[number] = None
        self.gone.add(number)

    def everybody(self) -> Iterator[int]:
        """The numbers of all users there are."""
        return (number for number in range(len(self.names)) if number not in self.gone)

    def profiles(self) -> Iterator[tuple[int, dict[str, object], dict[str, object]]]:
        """Every user with their profile fields and custom attributes, read in chunks."""
        for start in range(0, len(self.names), CHUNK):
            traits = self._traits(start, CHUNK)
            for offset in range(min(CHUNK, len(self.names) - start)):
                number = start + offset
                if number not in self.gone:
                    own = traits[offset] if offset < len(traits) else {}
                    yield number, *self._profile(number, own)

    def profile(self, number: int) -> tuple[dict[str, object], dict[str, object]]:
        """Profile fields and custom attributes of one user; nothing that is empty."""
        own = self._traits(number, 1)
        return self._profile(number, own[0] if own else {})

    def _traits(self, start: int, count: int) -> list[dict[str, object]]:
        if start >= len(self.market.user_ids):
            return []
        rows: list[dict[str, object]] = self.market.traits.slice(start, count).to_pylist()
        return rows

    def _profile(
        self, number: int, traits: dict[str, object]
    ) -> tuple[dict[str, object], dict[str, object]]:
        traits = dict(traits)
        traits.pop("user_id", None)
        fields: dict[str, object] = {
            "external_id": self.names[number],
            "braze_id": self.braze_id_of(number),
            "created_at": braze_time(self._created.get(number, self.born)),
            "random_bucket": random_bucket(self.braze_id_of(number)),
            "email": traits.pop("email", None),
            "email_subscribe": "subscribed",
            "push_subscribe": "subscribed",
            **self.fields.get(number, {}),
        }
        custom = traits | self.custom.get(number, {})
        return _filled(fields), _filled(custom)


def braze_id(external_id: str) -> str:
    """The id the workspace gives a user of this name: 24 hex characters.

    >>> len(braze_id("c000001"))
    24
    """
    return blake2b(external_id.encode(), digest_size=12).hexdigest()


def random_bucket(of: str) -> int:
    """A number from 0 to 9999 that stays with the user."""
    return int.from_bytes(blake2b(of.encode(), digest_size=4).digest()) % 10_000


def _filled(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _member(group: set[int], number: int, belongs: bool) -> None:
    if belongs:
        group.add(number)
    else:
        group.discard(number)
