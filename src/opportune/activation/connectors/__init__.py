"""The channels Opportune can speak to. Each is a plugin, ours like a stranger's.

Invariant: nothing here touches the network, the clock or a store.
"""

from opportune.activation.connectors.load import connector, connector_names

__all__ = ["connector", "connector_names"]
