"""A stand-in for Braze on this machine: its REST contract, with customers who answer.

``create_app`` gives a Starlette application that speaks Braze's REST API, as far as activation and
measurement need it, at the root of the host. Its workspace holds the customers of a made-up market
(``opportune.simulate``), an API-triggered campaign ``CAMPAIGN_ID`` whose trigger properties are
named after the market's dimensions, an API campaign, a canvas and a segment; more are set up
through ``/_sandbox/``. Everything is in memory; the journal file alone outlives the process.

Two clocks. The *virtual clock* says when a message was accepted (``last_received``, the day of a
send); it stands where ``/_sandbox/clock`` last put it, and what was scheduled goes out when it
gets there. *Rate limit windows*, and how long an export can be fetched, use the wall clock, as a
client's waiting does.

What is not Braze's lives under ``/_sandbox/`` and asks for no key: ``control`` (clock, reactions,
faults, limits), ``setup`` (what one clicks together in the dashboard), ``inspection`` (who was sent
what).

Invariants: an accepted call is in the journal file before it is answered, and a sandbox started on
that file remembers it; outcomes follow from (seed, day, customer, message) alone, so living through
a day again posts the same events under the same ids; a fault named ``*_before`` has no effect on
the workspace and one named ``*_after`` has its full effect. A message is rendered when it is sent
if its template reads anything that may change, and when somebody looks at it otherwise.
"""

from opportune.sandbox.app import create_app
from opportune.sandbox.catalogue import API_CAMPAIGN_ID, CANVAS_ID, SEGMENT_ID
from opportune.sandbox.model import CAMPAIGN_ID, SandboxConfig

__all__ = [
    "API_CAMPAIGN_ID",
    "CAMPAIGN_ID",
    "CANVAS_ID",
    "SEGMENT_ID",
    "SandboxConfig",
    "create_app",
]
