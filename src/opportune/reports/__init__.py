"""Reports: what a use case earned, what it chose and for whom, and what became of its messages.

Invariants: nothing here changes what others wrote; an answer says when it was true and how many
profiles stand behind it; only mature days count; thin evidence is an answer ("too early"), never an
error; the sizes of the groups are checked before there is a verdict.

Deliberately absent: attribution, funnels, and any comparison but treatment with control.
"""

from opportune.reports.document import to_document
from opportune.reports.health import Health, OpenJobs, OutboxState, StoreSize, behind, health
from opportune.reports.model import (
    Contrast,
    DayOfVariant,
    DayResult,
    DayShares,
    DeliveryCount,
    DimensionChoices,
    MetricOfReport,
    OptionShare,
    Performance,
    VariantResult,
    Verdict,
)
from opportune.reports.performance import performance
from opportune.reports.usage import Usage, usage

__all__ = [
    "Contrast",
    "DayOfVariant",
    "DayResult",
    "DayShares",
    "DeliveryCount",
    "DimensionChoices",
    "Health",
    "MetricOfReport",
    "OpenJobs",
    "OptionShare",
    "OutboxState",
    "Performance",
    "StoreSize",
    "Usage",
    "VariantResult",
    "Verdict",
    "behind",
    "health",
    "performance",
    "to_document",
    "usage",
]
