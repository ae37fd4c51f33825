"""Over HTTP: which fields may be used for what, and what breaks that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI

from opportune import project, reports
from opportune.reports import FieldReport
from opportune.storage import Stores

__all__ = ["field_policy_routes"]


def field_policy_routes(
    application: FastAPI, stores: Stores, *, clock: Callable[[], datetime]
) -> None:
    """Add the route of the policies for fields."""

    @application.get("/privacy/policies")
    def field_policies() -> FieldReport:
        """Tell which fields may not be used for what, and which definitions break that now."""
        defined = project.read(stores.state)
        return reports.field_report(
            stores.state,
            defined.field_policies,
            segments=defined.segments,
            use_cases=defined.with_metrics(),
            used=reports.usage(
                defined.metrics,
                defined.segments,
                defined.use_cases,
                defined.tracking_plans,
                defined.computed_traits,
            ),
            now=clock(),
        )
