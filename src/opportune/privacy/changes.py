"""What each table of the lake becomes when somebody is forgotten: pure functions of its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from opportune.privacy.keep import Kept
from opportune.privacy.values import Subject, Values, hex_id
from opportune.profiles.rules import ANONYMOUS_ID, USER_ID

__all__ = ["Changes", "named_rows"]

Row = dict[str, Any]
Change = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to do to whom.

    ``decided`` are the ids of their decisions that stay, as they are called from now on; ``secret``
    makes ids of messages that nobody can guess.
    """

    values: Values
    kept: Kept
    decided: frozenset[str]
    secret: str

    def of(self) -> Mapping[str, Change]:
        """Return the change of each table, decisions first: the others follow them."""
        return {
            "decisions": self._about_profiles(self._decision),
            "features": self._about_profiles(self._feature),
            "asked_features": self._about_profiles(self._decision),
            "rewards": self._about_profiles(self._reward),
            "profile_totals": self._about_profiles(self._total),
            "events": self._events,
            "rejects": self._rejects,
        }

    def _about_profiles(self, change: Callable[[Row], Row | None]) -> Change:
        ids = pa.array(list(self.values.new_ids), pa.int64())

        def changed(part: pa.Table) -> pa.Table:
            touched = pc.is_in(part["profile_id"], value_set=ids)
            if "user_id" in part.column_names:
                touched = pc.or_(touched, self._is_in(part["user_id"], USER_ID))
            return _replaced(part, touched, change)

        return changed

    def _decision(self, row: Row) -> Row | None:
        name = self.values.replaced(row["decision_id"])
        return {**self._nobody(row), "decision_id": name} if name in self.decided else None

    def _feature(self, row: Row) -> Row | None:
        day: date = row["day"]
        nobody = self._nobody(row)
        name = f"{row['use_case']}:{day:%Y%m%d}:{hex_id(nobody['profile_id'])}"
        return nobody if name in self.decided else None

    def _reward(self, row: Row) -> Row:
        return {
            **self._nobody(row),
            "decision_id": self.values.replaced(row["decision_id"]),
        }

    def _total(self, row: Row) -> Row:
        return self._nobody(row)

    def _nobody(self, row: Row) -> Row:
        changed: Row = {"profile_id": self.values.new_ids.get(row["profile_id"], row["profile_id"])}
        if "user_id" in row:
            changed["user_id"] = self.values.replaced(row["user_id"])
        return {**row, **changed}

    def _events(self, part: pa.Table) -> pa.Table:
        by_user = self._is_in(part["user_id"], USER_ID)
        anonymous = self._is_in(part["anonymous_id"], ANONYMOUS_ID)
        touched = reduce(pc.or_, [by_user, anonymous, named_rows(part, self.values)])
        return _replaced(part, touched, self._event)

    def _event(self, row: Row) -> Row | None:
        owner = self._owner(row)
        if owner is None:
            texts = {name: self._text(value) for name, value in row.items() if name != "user_id"}
            return {**row, **texts}
        if owner.erases:
            return None
        return {
            **row,
            "message_id": self._message_id(row["message_id"]),
            "user_id": None,
            "anonymous_id": owner.new_value,
            "event": self._text(row["event"]),
            "properties": self.values.replaced(self.kept.properties_of(row["properties"])),
            "traits": None,
            "context": _mark(row["context"]),
        }

    def _owner(self, row: Row) -> Subject | None:
        """Return who an event belongs to, None if it only mentions somebody."""
        if row["user_id"] is not None:
            owner = self.values.exact.get(row["user_id"])
            return owner if owner is not None and owner.kind == USER_ID else None
        return self.values.exact.get(row["anonymous_id"])

    def _message_id(self, known: str) -> str:
        digest = hashlib.blake2b(f"{self.secret}:{known}".encode(), digest_size=16)
        return f"forgotten-{digest.hexdigest()}"

    def _rejects(self, part: pa.Table) -> pa.Table:
        return _replaced(part, named_rows(part, self.values), self._reject)

    def _reject(self, row: Row) -> Row:
        return {**row, "message_id": None, "payload": "", "reason": self._text(row["reason"])}

    def _text(self, value: Any) -> Any:
        return self.values.replaced(value) if isinstance(value, str) else value

    def _is_in(self, column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
        names = [value for value, each in self.values.exact.items() if each.kind == kind]
        return pc.is_in(column, value_set=pa.array(names, pa.string()))


def named_rows(part: pa.Table, values: Values) -> pa.ChunkedArray:
    """Say of each row whether any of its texts or ids still names somebody, (n,)."""
    exact = pa.array(list(values.exact), pa.string())
    ids = pa.array(list(values.new_ids), pa.int64())
    found = [pa.chunked_array([pa.repeat(pa.scalar(False), part.num_rows)])]
    for field in part.schema:
        column = part[field.name]
        if pa.types.is_string(field.type):
            found.append(pc.is_in(column, value_set=exact))
            matched = pc.match_substring_regex(column, values.either)
            found.append(pc.fill_null(matched, False))
        elif pa.types.is_int64(field.type) and field.name.endswith("_id"):
            found.append(pc.is_in(column, value_set=ids))
    return reduce(pc.or_, found)


def _replaced(
    part: pa.Table, touched: pa.ChunkedArray, change: Callable[[Row], Row | None]
) -> pa.Table:
    """Return ``part`` with each touched row changed or left out; itself where none is."""
    if not pc.any(touched).as_py():
        return part
    rows: Iterable[Row] = part.filter(touched).to_pylist()
    changed = [row for each in rows if (row := change(each)) is not None]
    rest = part.filter(pc.invert(touched))
    return pa.concat_tables([rest, pa.Table.from_pylist(changed, schema=part.schema)])


def _mark(context: str | None) -> str | None:
    """Return of a context what says that an event is history."""
    try:
        said = msgspec.json.decode(context or "{}", type=dict[str, object])
    except msgspec.DecodeError:
        return None
    return msgspec.json.encode({"import": said["import"]}).decode() if "import" in said else None
