"""Make email templates in Braze, and change those that we made; never an original."""

from __future__ import annotations

from dataclasses import dataclass

from opportune.activation.braze.ask import Workspace
from opportune.activation.braze.read import template
from opportune.errors import Forbidden

__all__ = ["OURS", "NotOurTemplate", "TemplateDraft", "create_template", "update_template"]

OURS = "Opportune: "
"""How the name of a template begins that we made."""


class NotOurTemplate(Forbidden):
    """A template that we did not make is not changed."""

    code = "not_our_template"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDraft:
    """What an email template is to say; ``title`` is its name behind ``OURS``."""

    title: str
    subject: str
    body: str
    preheader: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """As Braze takes it."""
        return {
            "template_name": f"{OURS}{self.title}",
            "subject": self.subject,
            "body": self.body,
            "preheader": self.preheader,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    email_template_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    message: str | None = None


def create_template(workspace: Workspace, draft: TemplateDraft) -> str:
    """Make a template and return its id. Raises as ``Workspace.post``.

    A call whose answer never came is not made again: look for the name in the list first.
    """
    path = "/templates/email/create"
    return workspace.post(path, draft.fields, _Made, repeatable=False).email_template_id


def update_template(workspace: Workspace, template_id: str, draft: TemplateDraft) -> None:
    """Change a template that we made to say ``draft``.

    Raises ``NotInBraze``, ``NotOurTemplate`` for one that somebody else made, or as
    ``Workspace.post``.
    """
    there = template(workspace, template_id)
    if not there.template_name.startswith(OURS):
        raise NotOurTemplate(
            f"The email template '{template_id}' is not one of ours: only those whose name begins "
            f"with '{OURS.strip()}' are changed. Make a new one from it instead."
        )
    body = {"email_template_id": template_id, **draft.fields}
    workspace.post("/templates/email/update", body, _Changed, repeatable=True)
