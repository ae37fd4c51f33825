"""Profiles: identifiers become one profile; traits keep their newest value in any order of events.

Who is who is a function of evidence: two identifiers on one message are a link, with its time,
message, source and rule. Links are folded in the order in which they happened; one that would break
a rule (both sides have a user id, too many values of a kind) is set aside for a person to decide.

Invariants: profiles follow from the set of events, in any order of arrival and any batches; a
profile's id is a hash of its first identifier, so a rebuild from the log gives the same ids; an
identifier belongs to one profile; two profiles that both have a user id are joined by a person
alone; what an identifier told is kept with it, so that a cut gives each side what is its own;
applying the same events twice changes nothing; one change of identities happens at a time.

Deliberately absent: guessing. Only equal identifiers are the same.
"""

from opportune.profiles.accounts import Account, UnknownAccount, account, keep_accounts
from opportune.profiles.activity import keep_activity
from opportune.profiles.compute import compute, follow_computed
from opportune.profiles.computed import ComputedTrait, parse_computed_trait
from opportune.profiles.consent import ConsentState, consent_rules, is_blocked, keep_consent
from opportune.profiles.cut import FirstIdentifier, UnknownCut, cut, restore
from opportune.profiles.export import ListTooLong, export_people
from opportune.profiles.get import Profile, UnknownProfile, get, storable
from opportune.profiles.identity import identity
from opportune.profiles.model import (
    Change,
    Cut,
    Decided,
    Decision,
    Identifier,
    Identity,
    Link,
    Reason,
    ReviewItem,
    ReviewPage,
    Side,
    View,
    WaitingLink,
)
from opportune.profiles.note import ComputedReader, note_computed
from opportune.profiles.people import (
    PEOPLE_PAGE,
    People,
    PeopleFilter,
    PeopleOrder,
    Picked,
    count_active,
    count_people,
    people,
)
from opportune.profiles.permission import (
    CONSENT_EVENT,
    EVERY,
    ConsentRules,
    Purpose,
    parse_consent,
)
from opportune.profiles.refold import refold
from opportune.profiles.reread import reread
from opportune.profiles.resolve import resolve
from opportune.profiles.review import (
    DecisionDoesNotFit,
    DecisionStands,
    UnknownReview,
    decided,
    identifiers_decided,
    review,
    settle,
    take_back,
)
from opportune.profiles.review_page import review_page
from opportune.profiles.rules import IdentityRules, parse_identity_rules
from opportune.profiles.snapshot import IDENTIFIERS, SNAPSHOT, identifiers, snapshot
from opportune.profiles.spread import Bar, Spread, spread
from opportune.profiles.told import DECIDED_EVENTS, hear, tell
from opportune.profiles.views import (
    InvalidView,
    PeopleView,
    drop_people_view,
    keep_people_view,
    people_views,
)
from opportune.profiles.zones import ZONE_TRAITS, existing_zones, newest_zones, zones_of

__all__ = [
    "CONSENT_EVENT",
    "DECIDED_EVENTS",
    "EVERY",
    "IDENTIFIERS",
    "PEOPLE_PAGE",
    "SNAPSHOT",
    "ZONE_TRAITS",
    "Account",
    "Bar",
    "Change",
    "ComputedReader",
    "ComputedTrait",
    "ConsentRules",
    "ConsentState",
    "Cut",
    "Decided",
    "Decision",
    "DecisionDoesNotFit",
    "DecisionStands",
    "FirstIdentifier",
    "Identifier",
    "Identity",
    "IdentityRules",
    "InvalidView",
    "Link",
    "ListTooLong",
    "People",
    "PeopleFilter",
    "PeopleOrder",
    "PeopleView",
    "Picked",
    "Profile",
    "Purpose",
    "Reason",
    "ReviewItem",
    "ReviewPage",
    "Side",
    "Spread",
    "UnknownAccount",
    "UnknownCut",
    "UnknownProfile",
    "UnknownReview",
    "View",
    "WaitingLink",
    "account",
    "compute",
    "consent_rules",
    "count_active",
    "count_people",
    "cut",
    "decided",
    "follow_computed",
    "drop_people_view",
    "existing_zones",
    "export_people",
    "get",
    "hear",
    "identifiers",
    "identifiers_decided",
    "identity",
    "is_blocked",
    "keep_accounts",
    "keep_activity",
    "keep_consent",
    "newest_zones",
    "note_computed",
    "keep_people_view",
    "parse_computed_trait",
    "parse_consent",
    "parse_identity_rules",
    "people",
    "people_views",
    "refold",
    "reread",
    "resolve",
    "restore",
    "review",
    "review_page",
    "settle",
    "snapshot",
    "spread",
    "storable",
    "take_back",
    "tell",
    "zones_of",
]
