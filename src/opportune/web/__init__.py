"""Web: the pages, made on the server, without a script and without anything from elsewhere.

Invariants: a number has its unit, its as-of time and its definition beside it; a chart has a
sentence above and a table of the same numbers below; a pattern or a shape says what a colour says;
every page of demo data is marked as such; nothing on a page changes anything.

Deliberately absent: writing definitions, sessions, scripts.
"""

from opportune.web.routes import routes
from opportune.web.truth import Truth, read_truth

__all__ = ["Truth", "read_truth", "routes"]
