"""The table of identity in a project: what it may say, and every mistake in it at once."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune.profiles import IdentityRules, parse_identity_rules
from opportune.profiles.rules import Place
from opportune.storage import Stores

WHERE = "opportune.toml: identity"


def problems_of(**body: object) -> list[str]:
    problems: list[str] = []
    parse_identity_rules(body, problems, where=WHERE)
    return problems


def test_what_is_not_said_stays_as_by_default() -> None:
    problems: list[str] = []
    assert parse_identity_rules({}, problems, where=WHERE) == IdentityRules()
    rules = IdentityRules()
    assert (problems, rules.limit("user_id"), rules.limit("email"), rules.consent) == (
        [],
        1,
        5,
        None,
    )


def test_everything_that_can_be_said() -> None:
    problems: list[str] = []
    rules = parse_identity_rules(
        {
            "priority": ["user_id", "card"],
            "limits": {"email": 2},
            "other_limit": 9,
            "most_identifiers": 50,
            "blocked": ["Guest"],
            "blocked_patterns": [r"^\d{1,4}$"],
            "alias_sources": ["legacy"],
            "consent": "personalise",
            "kinds": {"card": ["traits.card", "context.device.id"], "phone": []},
        },
        problems,
        where=WHERE,
    )
    assert problems == []
    assert (rules.limit("user_id"), rules.limit("email"), rules.limit("card")) == (1, 2, 9)
    assert sorted(["email", "card", "user_id"], key=rules.rank) == ["user_id", "card", "email"]
    assert rules.places["card"] == (
        Place(origin="traits", path=("card",)),
        Place(origin="context", path=("device", "id")),
    )
    assert (rules.places["phone"], rules.most_identifiers, rules.consent) == ((), 50, "personalise")
    assert {"guest", "null"} <= rules.blocked
    assert rules.alias_sources == {"legacy"}


def test_every_mistake_is_listed() -> None:
    assert problems_of(
        priority=["email"],
        limits={"user_id": 0},
        consent=5,
        blocked_patterns=["(", "(?i)x", r"\bx"],
        kinds={"user_id": ["traits.id"], "Card": [], "card": ["card", "traits."]},
        merge=True,
    ) == [
        f"{WHERE}.kinds.user_id: no name for a kind. Allowed: small letters, digits, _ . and -, 63 "
        "at most; not anonymous_id, group_id, user_id.",
        f"{WHERE}.kinds.Card: no name for a kind. Allowed: small letters, digits, _ . and -, 63 at "
        "most; not anonymous_id, group_id, user_id.",
        f"{WHERE}.kinds.card: 'card' is no place in a message. Allowed: traits, context or "
        "properties and the names below it, such as 'context.device.id'.",
        f"{WHERE}.kinds.card: 'traits.' is no place in a message. Allowed: traits, context or "
        "properties and the names below it, such as 'context.device.id'.",
        f"{WHERE}.priority: each kind once, and 'user_id' first.",
        f"{WHERE}.limits.user_id: 0 given, must be a number from 1 to 1000.",
        f"{WHERE}.blocked_patterns: '(': missing ), unterminated subpattern. Allowed: regular "
        "expressions of letters, [...], (...|...), ^, $, ., *, +, ?, {2,5} and \\d, \\s, \\w.",
        f"{WHERE}.blocked_patterns: '(?i)x': holds what not every engine reads. Allowed: regular "
        "expressions of letters, [...], (...|...), ^, $, ., *, +, ?, {2,5} and \\d, \\s, \\w.",
        f"{WHERE}.blocked_patterns: '\\\\bx': holds what not every engine reads. Allowed: regular "
        "expressions of letters, [...], (...|...), ^, $, ., *, +, ?, {2,5} and \\d, \\s, \\w.",
        f"{WHERE}.consent: 5 given, must be a non-empty text.",
        f"{WHERE}.merge: unknown key. Allowed: alias_sources, blocked, blocked_patterns, consent, "
        "kinds, limits, most_identifiers, other_limit, priority.",
    ]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(pattern=st.text(st.sampled_from(r"ab1-^$.*+?|()[]{},\dwsW:"), min_size=1, max_size=9))
def test_a_pattern_that_is_taken_can_be_read_by_the_database(stores: Stores, pattern: str) -> None:
    """Otherwise it would stop everything that comes in."""
    if not problems_of(blocked_patterns=[pattern]):
        rows = stores.state.rows("select 'ab1' ~ %(pattern)s as found", {"pattern": pattern})
        assert isinstance(rows[0]["found"], bool)
