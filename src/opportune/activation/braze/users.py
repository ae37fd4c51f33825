"""Read customers: only fields that do not say who somebody is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opportune.activation.braze.ask import Workspace
from opportune.errors import Forbidden, nearest

__all__ = ["AGREED_FIELDS", "IDS_A_CALL", "PersonalField", "check_fields", "export_users"]

AGREED_FIELDS = (
    *("external_id", "braze_id", "random_bucket", "country", "language", "time_zone"),
    *("created_at", "total_revenue", "email_subscribe", "push_subscribe", "uninstalled_at"),
    *("custom_events", "purchases", "campaigns_received", "canvases_received"),
)
"""What may be asked for; single custom attributes are named beside them."""

IDS_A_CALL = 50


class PersonalField(Forbidden):
    """A field says who somebody is, or all custom attributes at once were asked for."""

    code = "personal_braze_field"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Users:
    users: tuple[dict[str, object], ...]


def check_fields(fields: Sequence[str]) -> None:
    """Refuse what is not in ``AGREED_FIELDS``. Raises ``PersonalField``.

    >>> check_fields(["external_id", "time_zone"])
    """
    for each in fields:
        if each not in AGREED_FIELDS:
            raise PersonalField(
                f"The field '{each}' is never asked of Braze: names, addresses, birthdays, places "
                "and devices say who somebody is, and 'custom_attributes' would bring all there "
                f"are. Name single custom attributes instead. {nearest(each, AGREED_FIELDS)}"
            )


def export_users(
    workspace: Workspace, external_ids: Sequence[str], fields: Sequence[str]
) -> list[Mapping[str, object]]:
    """Read the profiles of ``external_ids``, as Braze writes them; who is not there is left out.

    Raises ``PersonalField``, or as ``Workspace.post``.
    """
    check_fields(fields)
    found: list[Mapping[str, object]] = []
    for start in range(0, len(external_ids), IDS_A_CALL):
        body = {
            "external_ids": list(external_ids[start : start + IDS_A_CALL]),
            "fields_to_export": list(fields),
        }
        found += workspace.post("/users/export/ids", body, _Users, repeatable=True).users
    return found
