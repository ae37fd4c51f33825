"""What a combination of a use case would say, and a test send of it to somebody who tries it."""

from __future__ import annotations

import re
import secrets
from urllib.parse import quote, urlencode

from opportune import pipeline, project
from opportune.activation.braze import STAYS_FOR, BrazeRefused
from opportune.decisions import UseCase
from opportune.web.asking import Asked, Fields, Moved, Shown
from opportune.web.results import tab_of
from opportune.web.states import ASKING

__all__ = ["preview", "test_send"]

CHOSEN = "choose-"
SENT = re.compile(r"opportune-test-[0-9a-f]{16}")
LABELS = {
    "subject": "Subject",
    "preheader": "Preheader",
    "title": "Title",
    "alert": "Alert",
    "body": "Body",
}


def preview(asked: Asked) -> Shown:
    """Show the combination of the address; where it names none, the first options."""
    chosen = project.read(asked.stores.state).use_case(asked.path["name"])
    given = _given(chosen, asked.query)
    found = pipeline.preview_message(asked.stores.settings, chosen, given, ASKING)
    sent = asked.query.get("sent")
    told = {
        "use_case": chosen,
        "found": found,
        "labels": LABELS,
        "chosen": CHOSEN,
        "sent": sent if SENT.fullmatch(sent) else "",
        "minutes": int(STAYS_FOR.total_seconds() / 60),
        "through_braze": chosen.activation.connector == "braze",
    }
    return tab_of("use_case_preview.html", asked, told)


def test_send(asked: Asked) -> Moved:
    """Send the combination of the form to a temporary profile. Raises as ``pipeline.send_test``."""
    chosen = project.read(asked.stores.state).use_case(asked.path["name"])
    given = _given(chosen, asked.form)
    tester = pipeline.Tester(to=asked.form.get("to"), by=asked.by, number=secrets.token_hex(8))
    found = pipeline.send_test(
        asked.stores, chosen, given, tester=tester, asking=ASKING, now=asked.now
    )
    if not found.accepted:
        raise BrazeRefused(f"The test send was not taken. {found.reason}")
    query = {f"{CHOSEN}{name}": option for name, option in given.items()}
    shown = urlencode({**query, "sent": found.external_id})
    return Moved(to=f"/use-cases/{quote(chosen.name)}/preview?{shown}#message")


def _given(chosen: UseCase, fields: Fields) -> dict[str, str]:
    found = {each.name: fields.get(f"{CHOSEN}{each.name}") for each in chosen.dimensions}
    return {name: option for name, option in found.items() if option}
