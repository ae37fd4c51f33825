from __future__ import annotations

from pathlib import Path

import pytest

from opportune import plugins
from opportune.activation.connectors import connector, connector_names
from opportune.activation.connectors.braze import CONNECTOR
from opportune.activation.model import Connector


def test_braze_is_found_by_its_name() -> None:
    assert connector("braze") is CONNECTOR
    assert isinstance(CONNECTOR, Connector)
    assert (CONNECTOR.name, CONNECTOR.batch_size) == ("braze", 50)
    assert CONNECTOR.calls_per_hour == 250_000
    assert "braze" in connector_names()


def test_a_misspelt_connector_is_answered_with_the_nearest() -> None:
    with pytest.raises(plugins.UnknownPlugin) as caught:
        connector("brase")
    assert "Did you mean 'braze'?" in caught.value.message


def test_a_plugin_that_is_no_connector_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "stranger-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[opportune.connectors]\nlist = builtins:list\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(plugins.BrokenPlugin) as caught:
        connector("list")
    assert caught.value.message == (
        "Plugin 'list' of opportune.connectors is <class 'list'>, which is no connector: it needs"
        " name, batch_size, calls_per_hour, requests, deliveries, enquiries, findings and"
        " decode."
        " Check it with opportune.testing.check_connector."
    )
