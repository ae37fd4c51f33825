"""Whom nobody may bring back: salted hashes of identifiers, in a file and in State.

Both hold the same, because either may be a restored backup: what one knows, the other learns. What
somebody who was forgotten did until then is refused, however late it arrives; what they do later
is a new beginning.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from opportune.events import Decoded, Decoder, Event, Reject
from opportune.privacy.model import ROOM
from opportune.privacy.values import canonical
from opportune.profiles.rules import ANONYMOUS_ID, USER_ID, IdentityRules
from opportune.storage import Frame, State, load_sql

__all__ = ["FORGOTTEN", "Guard", "Suppressed", "read_suppressed", "remember"]

FORGOTTEN = "forgotten"
FOLDER = "forgotten"
FILE = "suppressed.jsonl"
# Of a decision's id: the day it was made on.
DECIDED = re.compile(r'"decision_id"\s*:\s*"[^"]*:(\d{8}):[0-9a-f]{16}"')


class Suppressed(msgspec.Struct, frozen=True, kw_only=True):
    """One identifier of somebody who was forgotten at ``forgotten_at_us``."""

    identifier_hash: str
    salt: str
    forgotten_at_us: int


@dataclass(slots=True)
class Guard:
    """Keeps out what the log brings of those who were forgotten.

    ``salts`` maps each salt to the hashes under it, with the time at which each was forgotten.
    """

    salts: dict[str, dict[str, int]] = field(default_factory=dict)
    newest_us: int = -1
    rules: IdentityRules = field(default_factory=IdentityRules)

    def load(self, entries: Iterable[Suppressed], rules: IdentityRules) -> None:
        """Know these and nobody else."""
        self.salts, self.newest_us, self.rules = {}, -1, rules
        for each in entries:
            known = self.salts.setdefault(each.salt, {})
            at_us = max(each.forgotten_at_us, known.get(each.identifier_hash, -1))
            known[each.identifier_hash] = at_us
            self.newest_us = max(self.newest_us, at_us)

    def forgotten_at_us(self, kind: str, value: str) -> int:
        """Return when an identifier was forgotten, -1 if it was not."""
        return max(
            (known.get(hashed(salt, kind, value), -1) for salt, known in self.salts.items()),
            default=-1,
        )

    def wrap(self, decoder: Decoder) -> Decoder:
        """Return ``decoder`` without what somebody did before being forgotten.

        What is refused leaves one reject a frame, which says how many messages those were.
        """

        def decode(frame: Frame) -> Decoded:
            decoded = decoder(frame)
            if self.newest_us < 0:
                return decoded
            events = [each for each in decoded.events if not self._is_refused(each)]
            rejects = [
                each
                for each in decoded.rejects
                if frame.received_at_us > self.newest_us or not self._is_named(each.payload, frame)
            ]
            refused = len(decoded.events) - len(events) + len(decoded.rejects) - len(rejects)
            if not refused:
                return decoded
            return Decoded(events=events, rejects=[*rejects, _reject(refused)])

        return decode

    def _is_refused(self, event: Event) -> bool:
        about_us = _about_us(event)
        if about_us > self.newest_us:
            return False
        return any(self.forgotten_at_us(*each) >= about_us for each in self._named(event))

    def _is_named(self, payload: str, frame: Frame) -> bool:
        said = _object(payload)
        event = Event(
            message_id="",
            type="identify",
            event=None,
            user_id=_text(said.get("userId")),
            anonymous_id=_text(said.get("anonymousId")),
            occurred_at_us=0,
            **{name: _json(said.get(name)) for name in ("properties", "traits", "context")},
        )
        named = self._named(event)
        return any(self.forgotten_at_us(*each) >= frame.received_at_us for each in named)

    def _named(self, event: Event) -> Iterator[tuple[str, str]]:
        """Return every identifier that an event names."""
        if event.user_id is not None:
            yield USER_ID, event.user_id
        if event.anonymous_id is not None:
            yield ANONYMOUS_ID, event.anonymous_id
        documents = {
            name: _object(getattr(event, name)) for name in ("traits", "context", "properties")
        }
        for kind, places in self.rules.places.items():
            for place in places:
                found = _at(documents[place.origin], place.path)
                if isinstance(found, str | int | float) and not isinstance(found, bool):
                    yield kind, str(found)
        external = documents["context"].get("externalIds")
        for each in external if isinstance(external, list) else ():
            if isinstance(each, dict) and isinstance(each.get("id"), str):
                yield str(each.get("type")), each["id"]
        previous = documents["properties"].get("previousId")
        if event.type == "alias" and isinstance(previous, str):
            yield ANONYMOUS_ID, previous


def hashed(salt: str, kind: str, value: str) -> str:
    """Return the hash of an identifier, as State makes it as well."""
    text = f"{salt}:{kind}:{canonical(kind, value)}"
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def read_suppressed(data_folder: Path, state: State) -> list[Suppressed]:
    """Return whom nobody may bring back; what only one of file and State knew, both know now."""
    in_file = _read_file(data_folder)
    rows = state.rows(load_sql(ROOM, "suppressed"))
    in_state = {row["identifier_hash"]: Suppressed(**row) for row in rows}
    newest = dict(in_file)
    for name, each in in_state.items():
        if name not in newest or newest[name].forgotten_at_us < each.forgotten_at_us:
            newest[name] = each
    _keep(data_folder, state, newest.values(), in_file=in_file, in_state=in_state)
    return list(newest.values())


def remember(
    data_folder: Path,
    state: State,
    identifiers: Iterable[tuple[str, str]],
    *,
    salt: str,
    now: datetime,
) -> None:
    """Add identifiers to the list, in State and on disk when this returns; ``salt`` where none is.

    An identifier that is there already is forgotten anew, as of ``now``.
    """
    known = read_suppressed(data_folder, state)
    salt = known[0].salt if known else salt
    at_us = int(now.astimezone(UTC).timestamp() * 1_000_000)
    added = [
        Suppressed(identifier_hash=hashed(salt, kind, value), salt=salt, forgotten_at_us=at_us)
        for kind, value in identifiers
    ]
    _keep(data_folder, state, added, in_file={}, in_state={})


def _keep(
    data_folder: Path,
    state: State,
    entries: Iterable[Suppressed],
    *,
    in_file: Mapping[str, Suppressed],
    in_state: Mapping[str, Suppressed],
) -> None:
    wanted = list(entries)
    missing = [each for each in wanted if in_file.get(each.identifier_hash) != each]
    if missing:
        folder = data_folder / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / FILE).open("ab") as stream:
            stream.write(b"".join(msgspec.json.encode(each) + b"\n" for each in missing))
            stream.flush()
            os.fsync(stream.fileno())
    missing = [each for each in wanted if in_state.get(each.identifier_hash) != each]
    if missing:
        facts = {"rows": msgspec.json.encode(missing).decode()}
        state.rows(load_sql(ROOM, "keep_suppressed"), facts)


def _read_file(data_folder: Path) -> dict[str, Suppressed]:
    """Return the newest entry of each identifier; a last line that was torn by a kill is none."""
    try:
        lines = (data_folder / FOLDER / FILE).read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    found: dict[str, Suppressed] = {}
    for line in lines:
        try:
            each = msgspec.json.decode(line, type=Suppressed)
        except msgspec.MsgspecError:
            continue
        if found.get(each.identifier_hash, each).forgotten_at_us <= each.forgotten_at_us:
            found[each.identifier_hash] = each
    return found


def _reject(count: int) -> Reject:
    reason = (
        f"{count} messages of somebody who was forgotten, about the time before; nothing of them "
        "is kept. What the same person does from now on is taken."
    )
    return Reject(index=-1, message_id=None, code=FORGOTTEN, reason=reason, payload="")


def _about_us(event: Event) -> int:
    """Return the time that an event is about: an open, of the day when the message was decided."""
    if event.properties is not None and (found := DECIDED.search(event.properties)):
        try:
            day = datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC)
        except ValueError:
            return event.occurred_at_us
        return min(event.occurred_at_us, int(day.timestamp()) * 1_000_000)
    return event.occurred_at_us


def _object(text: str | None) -> dict[str, object]:
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, object])
    except (msgspec.DecodeError, UnicodeEncodeError):
        return {}


def _at(document: object, path: Iterable[str]) -> object:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _json(value: object) -> str | None:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else None
