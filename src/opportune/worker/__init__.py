"""Runs what is due: takes in the log, decides the day, hands over what the outbox holds.

One worker works at a time for one database; it holds a lock for as long as it lives, so that it may
take over at once what a killed one had reserved. The work of a round is done in parts: what goes
wrong in one is told, that part is left alone for a while, and the others go on. This is the edge
where the clock is read.
"""

from opportune.worker.hand_over import Unanswered
from opportune.worker.model import Clock, Worker
from opportune.worker.run import decoders, run, simulated_clock

__all__ = ["Clock", "Unanswered", "Worker", "decoders", "run", "simulated_clock"]
