"""Reports: what a use case earned, what it chose and for whom, what became of its messages; and a
person, with all that is known and what happened.

Invariants: nothing here changes what others wrote; an answer says when it was true and how many
profiles stand behind it; only mature days count; thin evidence is an answer ("too early"), never an
error; the sizes of the groups are checked before there is a verdict.

`readiness` says before the start whether a lift can be seen at all, and when; `groups`
compares treatment with every other group.

Deliberately absent: attribution and funnels.
"""

from opportune.reports.calibration import Calibration, CalibrationTenth
from opportune.reports.decision_log import (
    MOST_EXPORTED,
    VARIANTS,
    DecisionFilter,
    DecisionLog,
    InvalidDecisionFilter,
    LoggedDecision,
    decision_log,
)
from opportune.reports.decisions_csv import decisions_csv
from opportune.reports.delays import delay_curve
from opportune.reports.deliveries import delivery_counts
from opportune.reports.document import to_document
from opportune.reports.drivers import Driver, Drivers
from opportune.reports.earlier import EARLIER_DAYS
from opportune.reports.earners import Earner, Earners, earners
from opportune.reports.field_use import (
    FieldReport,
    LabelledField,
    PolicyInForce,
    PolicyViolation,
    field_report,
)
from opportune.reports.figures import FIGURES, FORMS, InvalidReportForm, figures, report_file
from opportune.reports.groups import GroupComparison, GroupResult, Groups, groups
from opportune.reports.guard_rails import GuardRailResult
from opportune.reports.health import Health, OpenJobs, OutboxState, StoreSize, behind, health
from opportune.reports.insights import UnknownSegmentOfReport, insights
from opportune.reports.marks import Mark
from opportune.reports.metric_days import (
    InvalidDays,
    MetricDays,
    MetricDefinition,
    MetricValue,
    metric_days,
    metric_definition,
    metric_definitions,
)
from opportune.reports.model import (
    AdjustedForEarlier,
    BegunWith,
    Contrast,
    DayOfVariant,
    DayResult,
    DayShares,
    DelayCurve,
    DelayPoint,
    DeliveryCount,
    DimensionChoices,
    ExploredDay,
    Headline,
    Insights,
    MetricOfReport,
    Mover,
    OptionShare,
    Performance,
    SegmentLift,
    Shadow,
    Spending,
    VariantResult,
    Verdict,
)
from opportune.reports.one_decision import DecisionNotFound, KeptDecision, one_decision
from opportune.reports.other_metrics import (
    GroupValue,
    ReportMetric,
    keep_report_metrics,
    report_metrics,
)
from opportune.reports.over_time import InvalidRolling, LiftOfDay, Rolling, check_rolling
from opportune.reports.overlap import GroupElsewhere, Overlap, SendsPerProfile, overlap
from opportune.reports.performance import begun_with, headline, performance
from opportune.reports.person import (
    ConsentAnswer,
    KnownTrait,
    Person,
    consent_answers,
    consent_counts,
    person,
    person_by_id,
)
from opportune.reports.readiness import (
    Earlier,
    HeldBack,
    OptionReadiness,
    Readiness,
    WaitFor,
    readiness,
)
from opportune.reports.reconcile import OurDay, ReconciledDay, Reconciliation, SentBy, reconcile
from opportune.reports.results import Results, results, results_document
from opportune.reports.standing import Earned, Standing, standing
from opportune.reports.summarise import summarise
from opportune.reports.summary import PROFILE_TOTALS, forget_open
from opportune.reports.tabs import (
    HISTORY,
    TABS,
    InvalidTab,
    Tab,
    TabReport,
    check_tab,
    tab_file,
    tab_report,
)
from opportune.reports.timeline import Entry, Timeline, timeline
from opportune.reports.usage import Defined, Usage, usage
from opportune.reports.use_case_health import (
    Blocked,
    FeatureDrift,
    Freshness,
    Funnel,
    RunOfDay,
    UseCaseHealth,
    use_case_health,
)
from opportune.reports.use_case_timeline import (
    Incident,
    UseCaseTimeline,
    differences,
    use_case_timeline,
)
from opportune.reports.versions import Version, versions

__all__ = [
    "tab_report",
    "tab_file",
    "check_tab",
    "TabReport",
    "Tab",
    "InvalidTab",
    "TABS",
    "HISTORY",
    "metric_definition",
    "metric_definitions",
    "metric_days",
    "MetricValue",
    "MetricDefinition",
    "MetricDays",
    "InvalidDays",
    "OurDay",
    "ReconciledDay",
    "Reconciliation",
    "SentBy",
    "reconcile",
    "AdjustedForEarlier",
    "Calibration",
    "CalibrationTenth",
    "RunOfDay",
    "EARLIER_DAYS",
    "Earned",
    "Standing",
    "standing",
    "Blocked",
    "FeatureDrift",
    "Freshness",
    "Funnel",
    "UseCaseHealth",
    "use_case_health",
    "SegmentLift",
    "UnknownSegmentOfReport",
    "GuardRailResult",
    "FIGURES",
    "FORMS",
    "Earner",
    "Earners",
    "InvalidReportForm",
    "earners",
    "figures",
    "report_file",
    "differences",
    "Driver",
    "Drivers",
    "InvalidRolling",
    "LiftOfDay",
    "Mark",
    "Results",
    "Rolling",
    "check_rolling",
    "results",
    "results_document",
    "use_case_timeline",
    "UseCaseTimeline",
    "Incident",
    "one_decision",
    "KeptDecision",
    "DecisionNotFound",
    "GroupElsewhere",
    "Overlap",
    "SendsPerProfile",
    "overlap",
    "GroupComparison",
    "GroupResult",
    "Groups",
    "groups",
    "versions",
    "decisions_csv",
    "decision_log",
    "Version",
    "LoggedDecision",
    "InvalidDecisionFilter",
    "DecisionLog",
    "DecisionFilter",
    "MOST_EXPORTED",
    "VARIANTS",
    "PROFILE_TOTALS",
    "BegunWith",
    "ConsentAnswer",
    "Contrast",
    "DayOfVariant",
    "DayResult",
    "DayShares",
    "DelayCurve",
    "DelayPoint",
    "Defined",
    "Earlier",
    "DeliveryCount",
    "DimensionChoices",
    "Entry",
    "ExploredDay",
    "FieldReport",
    "Headline",
    "Health",
    "Insights",
    "HeldBack",
    "KnownTrait",
    "LabelledField",
    "MetricOfReport",
    "Mover",
    "OpenJobs",
    "OptionReadiness",
    "OptionShare",
    "OutboxState",
    "Performance",
    "Person",
    "PolicyInForce",
    "PolicyViolation",
    "Shadow",
    "Readiness",
    "Spending",
    "StoreSize",
    "Timeline",
    "Usage",
    "VariantResult",
    "Verdict",
    "begun_with",
    "WaitFor",
    "behind",
    "consent_answers",
    "consent_counts",
    "delay_curve",
    "delivery_counts",
    "field_report",
    "forget_open",
    "headline",
    "health",
    "insights",
    "performance",
    "person",
    "person_by_id",
    "readiness",
    "summarise",
    "timeline",
    "to_document",
    "usage",
    "GroupValue",
    "ReportMetric",
    "keep_report_metrics",
    "report_metrics",
]
