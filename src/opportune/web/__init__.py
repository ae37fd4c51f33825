"""Web: the pages, made on the server, with small scripts of our own and nothing from elsewhere.

A view asks the rooms what the interface asks them too, so a number and its list agree; a template
only shows what a view gives it. `Site` turns a question into an answer.

Invariants: a number has its unit, its as-of time and its definition beside it; a chart has a
sentence above and a table of the same numbers below; a pattern or a shape says what a colour says;
every page of demo data is marked as such; without scripts every page still works; a form that
changes anything comes from a page of this site and of this browser's session; a page answers only
under the names of this server, and where more than this machine reaches it, only who is signed in;
what destroys something asks for a name to be typed.

Deliberately absent: rules about customers, scripts from elsewhere, a build of the front end.
"""

from opportune.web.asking import FormTooLarge
from opportune.web.results import report_page
from opportune.web.routes import routes
from opportune.web.truth import Truth, read_truth

__all__ = ["FormTooLarge", "Truth", "read_truth", "report_page", "routes"]
