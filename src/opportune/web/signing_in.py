"""Signing in with a link that works once, and out again."""

from __future__ import annotations

from opportune import sign_in as door
from opportune.web import pages
from opportune.web.asking import Asked, Entered, Moved, Shown, new_session

__all__ = ["enter", "sign_in", "sign_out"]


def sign_in(asked: Asked) -> Shown | Moved:
    """Ask before a link is used up: what only looks at addresses must not use it."""
    settings = asked.stores.settings
    if not door.is_needed(settings):
        return Moved(to="/")
    context = {"link": asked.query.get("link")}
    return Shown(body=pages.render("sign_in.html", asked.frame, context))


def enter(asked: Asked) -> Entered:
    """Turn a link into a session. Raises ``InvalidSignIn``."""
    session = door.enter(asked.stores.state, asked.form.get("link"), now=asked.now)
    return Entered(session=session, to="/")


def sign_out(asked: Asked) -> Entered:
    """End the session; the browser goes on with one that nobody is signed in to."""
    door.leave(asked.stores.state, asked.session)
    return Entered(session=new_session(), to="/sign-in")
