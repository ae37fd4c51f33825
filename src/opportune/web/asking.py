"""What somebody asks of a page, and what is answered: the nouns between addresses and views."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from urllib.parse import parse_qsl

from opportune.errors import InvalidInput
from opportune.sign_in import SESSION_COOKIE, CrossSitePost, check_origin
from opportune.storage import Stores
from opportune.web.truth import Truth

__all__ = [
    "FORM_BYTES",
    "SESSION_COOKIE",
    "Answer",
    "Asked",
    "Download",
    "Entered",
    "Fields",
    "FormTooLarge",
    "Frame",
    "Moved",
    "Shown",
    "check_post",
    "new_session",
    "read_form",
    "token_of",
]

# A rule of the most parts there may be, each with all its fields.
FORM_BYTES = 1024 * 1024
FORM_FIELDS = 20_000


class FormTooLarge(InvalidInput):
    """A form has more in it than a page can have asked for."""

    code = "form_too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every page shows beside its own content.

    ``token`` goes into every form. ``dot`` is how the program is ("fine", "behind" or "down") and
    ``dot_words`` says so in words. ``signed_in`` is who reads the page, empty where nobody signs
    in. ``outside``: the page shows nothing but itself, to somebody who is not signed in.
    ``as_of`` is the time that the numbers are true for.
    """

    as_of: datetime
    demo: bool
    token: str = ""
    dot: str = "fine"
    dot_words: str = ""
    signed_in: str = ""
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a form or of an address, in the order they were given; a name may repeat."""

    pairs: tuple[tuple[str, str], ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of ``name`` without the blanks around it."""
        return next((value.strip() for key, value in self.pairs if key == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of ``name``."""
        return tuple(value for key, value in self.pairs if key == name)

    def page(self, name: str = "page", *, most: int = 1_000) -> int:
        """Return the number of a page, 1 where there is none that can be read."""
        given = self.get(name)
        return min(max(int(given), 1), most) if given.isdecimal() and len(given) < 10 else 1

    def flat(self) -> dict[str, str]:
        """Return every name with its last value."""
        return dict(self.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question: an address with its fields, and a form where one was sent.

    ``address`` is that of this server; ``part``: a script asks for its part of the page alone.
    """

    stores: Stores
    frame: Frame
    path: Mapping[str, str]
    query: Fields = field(default_factory=Fields)
    form: Fields = field(default_factory=Fields)
    truth: Truth | None = None
    address: str = ""
    part: bool = False
    session: str = ""

    @property
    def by(self) -> str:
        """Who is said to have done what a page does."""
        return self.frame.signed_in or "pages"

    @property
    def now(self) -> datetime:
        """The time that the answer is true for."""
        return self.frame.as_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A page, or a part of one, with what a script wants to know beside it."""

    body: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to keep; ``name`` is what it is called then."""

    body: bytes
    media_type: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What was asked for is done: look there."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Somebody signed in, or out: ``session`` is the secret of the new one."""

    session: str
    to: str


Answer: TypeAlias = Shown | Moved | Download | Entered


def new_session() -> str:
    """Return the secret of a new browser session."""
    return secrets.token_hex(32)


def token_of(session: str) -> str:
    """Return what the forms of a session carry: whoever does not know the session cannot make it.

    Every process makes the same, so any of several servers can take the form.
    """
    return hmac.new(session.encode(), b"opportune form", hashlib.sha256).hexdigest()


def check_post(headers: Mapping[str, str], *, session: str, token: str) -> None:
    """Raise ``CrossSitePost`` unless a form comes from a page of this site and this session."""
    check_origin(headers)
    own = hmac.compare_digest(token_of(session).encode(), token.encode())
    if not session or not own:
        raise CrossSitePost(
            "This form did not come from a page that this browser has open. Nothing was changed. "
            "Open the page again and send the form from there."
        )


def read_form(body: bytes) -> Fields:
    """Read the body of a form as browsers send it. Raises ``FormTooLarge``."""
    try:
        pairs: Iterable[tuple[str, str]] = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FORM_FIELDS
        )
    except ValueError as cause:
        raise FormTooLarge(
            f"The form has more than {FORM_FIELDS} fields. Split what it describes."
        ) from cause
    # No database holds a NUL; a browser writes a line's end with two characters.
    return Fields(
        tuple((key, value.replace("\0", "").replace("\r\n", "\n")) for key, value in pairs)
    )
