"""A stand-in for Braze on this machine: its REST contract, with customers who answer.

``create_app`` gives a Starlette application that speaks the part of Braze's REST API an activation
needs, at the root of the host. Its workspace holds the customers of a made-up market
(``opportune.simulate``) and one API-triggered campaign, ``CAMPAIGN_ID``, whose trigger properties
are named after the market's dimensions. Messages go out at the hour their ``hour`` property names.

Two clocks. The *virtual clock* says when a message was accepted (``last_received``, the day of a
send); it stands where ``/_sandbox/clock`` last put it. *Rate limit windows* use the wall clock, as
a client's waiting does.

What is not Braze's lives under ``/_sandbox/`` and asks for no key: ``clock``, ``react`` (the
customers live through a day: engagement is posted as Currents, orders as Segment calls), ``sends``,
``journal``, ``faults``.

Invariants: an accepted call is in the journal file before it is answered, and a sandbox started on
that file remembers it; outcomes follow from (seed, day, customer, message) alone, so living through
a day again posts the same events under the same ids; a fault named ``*_before`` has no effect on
the workspace and one named ``*_after`` has its full effect.

Left out: who unsubscribes is reported, and still reached by the next message.
"""

from opportune.sandbox.app import create_app
from opportune.sandbox.model import CAMPAIGN_ID, SandboxConfig

__all__ = ["CAMPAIGN_ID", "SandboxConfig", "create_app"]
