"""What a conversion is for the use cases whose success metric asks something of its events."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from opportune import activation, events, project
from opportune.storage import Engine, State

__all__ = ["Conversions", "ends_on"]

CONVERTED = "converted"


def ends_on(metric: events.Metric) -> tuple[str, ...]:
    """Return with what a send ends whose use case maximises ``metric``.

    Names of events where each of them counts, and else the name of the metric, as
    `activation.ends_with` writes it.
    """
    if all(base.measure.match.where is None for base in metric.bases):
        return metric.events
    return (activation.ends_with(metric.name),)


class Conversions:
    """Finds conversions in what is taken in; reads definitions only when asked."""

    def __init__(self, state: State, engine: Engine) -> None:
        self._reader = project.Reader(state)
        self._engine = engine

    def of(self, taken_in: pa.Table) -> Iterable[tuple[str, pa.Table]]:
        """Give, by what sends end with, the events that do it; of metrics that ask for more."""
        defined = self._reader.read()
        metrics = {
            each.success_metric: defined.metric_of(each)
            for each in defined.use_cases.values()
            if CONVERTED in each.activation.cancel_when
        }
        for name, metric in sorted(metrics.items()):
            if ends_on(metric) != metric.events:
                yield activation.ends_with(name), events.meant(self._engine, metric, taken_in)
