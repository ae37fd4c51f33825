"""What a metric comes to over some profiles, be it of its own events or calculated of others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from opportune import rules, stats
from opportune.events.metric import Metric

__all__ = ["metric_evidence", "metric_values"]

Floats = NDArray[np.float64]


def metric_evidence(
    metric: Metric, columns: Mapping[str, Floats], *, rows: int
) -> tuple[stats.Moments, int]:
    """Return the evidence of ``metric`` per profile, and how many profiles anything is known of.

    ``columns`` of ``(rows,)`` are what each of ``metric.bases`` comes to for each profile, by name;
    NaN is no value, which counts as 0. A formula over all rows is asked once, with what a profile
    brings on average in the place of each sum, so that groups of other sizes compare; its spread is
    that of the delta method (`stats.of_means`). The others are a value for each profile.

    >>> revenue = Metric(name="revenue", title="", event="Bought", property="revenue", unit="EUR",
    ...                  window_days=7)
    >>> metric_evidence(revenue, {"revenue": np.array([10.0, 0.0])}, rows=2)
    (Moments(count=2, mean=5.0, m2=50.0), 1)
    """
    known = np.zeros(rows, dtype=bool)
    for base in metric.bases:
        known |= np.nan_to_num(columns[base.name]) != 0
    if metric.formula is None or not metric.is_over_rows:
        values = metric_values(metric, columns, rows=rows)
        return stats.moments(values), int(np.count_nonzero(values))
    outer, tables = rules.without_tables(metric.formula)
    parts: list[Floats] = []
    for table in tables.values():
        inner = rules.evaluate(table.parts[0], columns, rows=rows)
        parts.append(np.nan_to_num(inner))
        # A mean is over the rows that have a value: a sum over a count.
        parts.append(
            (~np.isnan(inner)).astype(float) if table.function == "mean" else np.ones(rows)
        )

    def value(means: Floats) -> float:
        above, below = means[0::2], means[1::2]
        with np.errstate(all="ignore"):
            named = dict(zip(tables, (above / below).reshape(-1, 1), strict=True))
        return float(rules.evaluate(outer, named, rows=1)[0])

    return stats.of_means(np.stack(parts, axis=1), value), int(known.sum())


def metric_values(metric: Metric, columns: Mapping[str, Floats], *, rows: int) -> Floats:
    """Return the value of ``metric`` for each profile, ``(rows,)``; 0 where there is none."""
    if metric.formula is None:
        return np.nan_to_num(columns[metric.name])
    return np.nan_to_num(rules.evaluate(metric.formula, columns, rows=rows))
