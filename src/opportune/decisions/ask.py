"""Read who is asked about, keep what was decided before it is told, and hand it to the lake."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from opportune.decisions.asked import ASKED_FEATURES, Answer, Decided, Person, Question
from opportune.decisions.decide import SHADOW
from opportune.decisions.groups import CHAMPION, RANDOM
from opportune.decisions.model import DECISIONS, UseCase
from opportune.profiles import UnknownProfile, storable
from opportune.storage import Asked, Stores, fetch, load_sql

__all__ = ["KEPT_FOR", "hand_over_asked", "keep", "keep_held", "people_asked", "read_answer"]

ROOM = "opportune.decisions"
KEPT_FOR = timedelta(days=7)
"""So long a request that is asked again is answered as before."""
ROWS_AT_ONCE = 20_000

# What an answer and the lake call by the same name.
SAID = (
    *("decision_id", "use_case", "version", "day", "propensity", "policy_version"),
    *("explored", "decided_at"),
)

# Their actions are not those of the policy that says what it expects.
PLAYED_BY_OTHERS = (RANDOM, CHAMPION)
# What is written of an answer within limits.
KEPT = (
    *("profile_id", "request", "decided_at", "answer", "record"),
    *("user_id", "contact", "had", "cost"),
)

_ANSWERS = msgspec.json.Decoder(Answer)


def people_asked(
    state: Asked,
    questions: Sequence[Question],
    segments: Sequence[str],
    *,
    purpose: str | None = None,
) -> list[Person | UnknownProfile]:
    """Return whom each question is about, in one query; ``UnknownProfile`` where nobody is.

    ``segments`` are those whose members the use cases of the questions look at, ``purpose`` what
    statements of consent are read for.
    """
    asked = [
        (place, each) for place, each in enumerate(questions) if storable(each.kind, each.value)
    ]
    facts = {
        "kinds": [each.kind for _, each in asked],
        "values": [each.value for _, each in asked],
        "use_cases": [each.use_case for _, each in asked],
        # What nothing is kept of was never answered before.
        "requests": [None if each.dry_run else each.request for _, each in asked],
        "segments": list(segments),
        "purpose": purpose,
    }
    rows = state.rows(load_sql(ROOM, "asked_profiles"), facts)
    found = {asked[row["place"] - 1][0]: _person(row) for row in rows}
    return [found.get(place, _nobody(each.kind)) for place, each in enumerate(questions)]


def keep(state: Asked, decided: Sequence[Decided]) -> list[Answer]:
    """Write the answers in one transaction and return what holds: for a known key, the first one.

    Only what this returned may be told. A process that is killed before has decided nothing.
    """
    # One document: an array of texts is escaped letter by letter.
    facts = {"rows": msgspec.json.encode(list(decided)).decode()}
    answers: dict[tuple[str, int, str], Answer] = {}
    written = {_key(row) for row in state.rows(load_sql(ROOM, "keep_answers"), facts)}
    if len(written) < len(decided):
        rows = state.rows(load_sql(ROOM, "kept_answers"), _keys(decided))
        answers = {_key(row): read_answer(row["answer"]) for row in rows}
    keys = [(each.use_case, each.profile_id, each.request) for each in decided]
    return [answers.get(key, each.answer) for key, each in zip(keys, decided, strict=True)]


def keep_held(
    state: Asked, use_case: UseCase, decided: Sequence[Decided], *, epoch: int, granted: int
) -> list[Answer | None]:
    """Write answers within limits in one transaction, and let go of what was held for them.

    Returns what holds, as `keep` does. None: nothing was kept, because something was decided
    meanwhile that this answer does not know of; make it again.
    """
    rows = [{name: getattr(each, name) for name in KEPT} for each in decided]
    facts = {
        "use_case": use_case.name,
        "epoch": epoch,
        "granted": granted,
        "rows": msgspec.json.encode(rows).decode(),
    }
    found = state.rows(load_sql(ROOM, "keep_held"), facts)
    written = {(row["profile_id"], row["request"]) for row in found}
    before: dict[tuple[str, int, str], Answer] = {}
    if len(written) < len(decided):
        kept = state.rows(load_sql(ROOM, "kept_answers"), _keys(decided))
        before = {_key(row): read_answer(row["answer"]) for row in kept}
    keys = [(each.use_case, each.profile_id, each.request) for each in decided]
    return [
        before.get(key) or (each.answer if key[1:] in written else None)
        for key, each in zip(keys, decided, strict=True)
    ]


def read_answer(text: str) -> Answer:
    """Read an answer as it was kept."""
    return _ANSWERS.decode(text)


def hand_over_asked(stores: Stores, *, now: datetime) -> int:
    """Move what was decided on request to the lake, where rewards and training find it.

    Returns how many decisions that was. Killed anywhere and called again it comes to the same: what
    one commit is to hold is written down before, and the commit carries its name.
    """
    stores.lake.create("asked_features", ASKED_FEATURES)
    stores.lake.create("decisions", DECISIONS)
    count = 0
    while rows := _batch(stores):
        batch = rows[0]["batch"]
        said = _rows(rows)
        # Features first: a decision that is there has what it was made of.
        stores.lake.append("asked_features", _features(said), key=f"asked_features:{batch}")
        stores.lake.append("decisions", _decisions(said), key=f"decisions:asked:{batch}")
        stores.state.rows(load_sql(ROOM, "asked_kept"), {"batch": batch, "now": now})
        count += len(rows)
    stores.state.rows(load_sql(ROOM, "asked_prune"), {"before": now - KEPT_FOR})
    return count


def _person(row: Mapping[str, Any]) -> Person:
    return Person(
        profile_id=row["profile_id"],
        user_id=row["user_id"],
        traits=row["traits"],
        segments=frozenset(row["segments"]),
        last_seen_at=row["last_seen_at"],
        answer=row["answer"],
        said=tuple(tuple(each) for each in row["said"]),
    )


def _nobody(kind: str) -> UnknownProfile:
    return UnknownProfile(
        f"No profile has this {kind[:63]}. Check the kind (user_id, anonymous_id, email) and the "
        "spelling; an event that was just sent takes up to a second."
    )


def _keys(decided: Sequence[Decided]) -> dict[str, object]:
    return {
        "use_cases": [each.use_case for each in decided],
        "profile_ids": [each.profile_id for each in decided],
        "requests": [each.request for each in decided],
    }


def _key(row: Mapping[str, Any]) -> tuple[str, int, str]:
    return row["use_case"], row["profile_id"], row["request"]


def _batch(stores: Stores) -> list[dict[str, Any]]:
    """Return the rows of one commit: of the one that was begun, else the oldest ones."""
    with stores.state.transaction() as connection:
        rows = fetch(connection, load_sql(ROOM, "asked_waiting"), {"limit": ROWS_AT_ONCE})
        if not rows:
            return []
        if rows[0]["batch"] is not None:
            return [row for row in rows if row["batch"] == rows[0]["batch"]]
        places = [row["place"] for row in rows]
        digest = hashlib.blake2b(digest_size=16)
        for row in rows:
            digest.update(row["answer"].encode())
        batch = f"{places[0]}-{places[-1]}-{digest.hexdigest()}"
        fetch(connection, load_sql(ROOM, "asked_taken"), {"batch": batch, "places": places})
        return [{**row, "batch": batch} for row in rows]


def _rows(kept: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is kept as rows with the names of the lake's columns."""
    found = []
    for row in kept:
        answer, record = read_answer(row["answer"]), msgspec.json.decode(row["record"])
        if "expected" not in record:
            # Kept by an older version of the program.
            record["expected"] = _expected(answer)
        found.append(
            {
                **{name: getattr(answer, name) for name in SAID},
                "profile_id": row["profile_id"],
                "variant": answer.group,
                "action": list((answer.action or {}).values()),
                "dimension_propensities": list(answer.dimension_propensities.values()),
                # Whoever asks acts at once: that counts as a contact, in control as well.
                "due_at": None if answer.group == SHADOW else answer.decided_at,
                **record,
            }
        )
    return found


def _expected(answer: Answer) -> float | None:
    """What the policy expected of the action; of one that it never plays by itself it says none."""
    if answer.group in PLAYED_BY_OTHERS:
        return None
    scores = (each.score for each in answer.candidates if each.action == answer.action)
    return next(scores, None)


def _features(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    columns = {name: [row.get(name) for row in rows] for name in ASKED_FEATURES.names}
    columns["values"] = [
        [np.nan if value is None else value for value in row["values"]] for row in rows
    ]
    table = {field.name: pa.array(columns[field.name], field.type) for field in ASKED_FEATURES}
    return pa.table(table)


def _decisions(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    # What a decision on request has no word for, such as when it is sent, is null.
    table = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type)
        for field in DECISIONS
    }
    table["decided_at_us"] = table["decided_at"].cast(pa.int64())
    return pa.table(table)
