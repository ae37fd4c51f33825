"""Public checks for authors of plugins: each raises ``AssertionError``, in words, or passes.

Nothing here needs a test framework, a network or a store.
"""

from opportune.testing.connectors import check_connector
from opportune.testing.policies import check_policy

__all__ = ["check_connector", "check_policy"]
