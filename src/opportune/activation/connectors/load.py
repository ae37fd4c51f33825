"""Gets a connector by the name a use case gives."""

from __future__ import annotations

from opportune import plugins
from opportune.activation.model import Connector

__all__ = ["connector", "connector_names"]


def connector(name: str) -> Connector:
    """Load the connector that is installed under ``name``.

    >>> connector("braze").batch_size
    50

    Raises ``plugins.UnknownPlugin`` with the nearest name, or ``plugins.BrokenPlugin`` when what is
    installed under the name is no connector.
    """
    found = plugins.load(plugins.CONNECTORS, name)
    if not isinstance(found, Connector) or isinstance(found, type):
        raise plugins.BrokenPlugin(
            f"Plugin {name!r} of {plugins.CONNECTORS} is {found!r}, which is no connector: it needs"
            " name, batch_size, calls_per_hour, requests, deliveries, enquiries, findings and"
            " decode. Check it with opportune.testing.check_connector."
        )
    return found


def connector_names() -> tuple[str, ...]:
    """List the installed connectors, sorted."""
    return plugins.names(plugins.CONNECTORS)
