"""Public checks for authors of plugins: each raises ``AssertionError``, in words, or passes.

Nothing here needs a test framework, a network or a store; an engine brings its own lake.
"""

from opportune.testing.connectors import check_connector
from opportune.testing.engines import Compared, check_engine
from opportune.testing.policies import check_policy

__all__ = ["Compared", "check_connector", "check_engine", "check_policy"]
