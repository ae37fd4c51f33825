from __future__ import annotations

from pathlib import Path

import pytest

from opportune import plugins

GROUP = "opportune.test_only"


def install(folder: Path, name: str, entries: str, code: str = "") -> None:
    """Lay out a package as an installer would, in a folder that is on the path."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}\n")
    (folder / f"{name}_module.py").write_text(code)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_plugin_is_loaded_by_group_and_name(folder: Path) -> None:
    install(folder, "alpha", "one = alpha_module:THING", "THING = ['loaded']")
    assert plugins.load(GROUP, "one") == ["loaded"]


def test_names_are_sorted_and_nothing_is_imported(folder: Path) -> None:
    install(folder, "beta", "two = beta_module:X\none = beta_module:Y", "raise SystemExit")
    assert plugins.names(GROUP) == ("one", "two")


def test_a_group_nobody_offers_is_empty() -> None:
    assert plugins.names("opportune.nothing") == ()
    with pytest.raises(plugins.UnknownPlugin) as caught:
        plugins.load("opportune.nothing", "x")
    assert caught.value.message == "No plugin 'x' in opportune.nothing. Allowed: nothing."


def test_an_unknown_name_is_answered_with_the_nearest(folder: Path) -> None:
    install(folder, "gamma", "webhook = gamma_module:X\nfile = gamma_module:Y")
    with pytest.raises(plugins.UnknownPlugin) as caught:
        plugins.load(GROUP, "web_hook")
    assert caught.value.message == (
        "No plugin 'web_hook' in opportune.test_only. Did you mean 'webhook'?"
        " Allowed: file, webhook."
    )


@pytest.mark.parametrize(
    ("name", "code", "trouble"),
    [
        ("delta", "THING = 1 / 0", "ZeroDivisionError: division by zero"),
        ("epsilon", "", "AttributeError: module 'epsilon_module' has no attribute 'THING'"),
        ("zeta", "import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
    ],
)
def test_a_broken_plugin_names_its_package_and_its_trouble(
    folder: Path, name: str, code: str, trouble: str
) -> None:
    install(folder, name, f"one = {name}_module:THING", code)
    with pytest.raises(plugins.BrokenPlugin) as caught:
        plugins.load(GROUP, "one")
    assert caught.value.message == (
        f"Plugin 'one' of opportune.test_only (from {name} 1.0) points to '{name}_module:THING',"
        f" which cannot be loaded: {trouble}. Repair or remove that package."
    )
    assert caught.value.__cause__ is not None


def test_a_broken_plugin_harms_only_who_names_it(folder: Path) -> None:
    code = "THING = 'fine'"
    install(folder, "eta", "good = eta_module:THING\nbad = eta_module:NONE", code)
    assert plugins.load(GROUP, "good") == "fine"


def test_two_packages_may_not_offer_one_name_for_different_things(folder: Path) -> None:
    install(folder, "theta", "one = theta_module:THING")
    install(folder, "iota", "one = iota_module:THING")
    with pytest.raises(plugins.AmbiguousPlugin) as caught:
        plugins.load(GROUP, "one")
    assert caught.value.message == (
        "Plugin 'one' of opportune.test_only is offered as 'iota_module:THING' (from iota 1.0) and"
        " 'theta_module:THING' (from theta 1.0). Keep one of the packages."
    )


def test_the_same_offer_seen_twice_is_one(folder: Path) -> None:
    install(folder, "kappa", "one = kappa_module:THING", "THING = 1")
    install(folder, "kappa_again", "one = kappa_module:THING")
    assert plugins.load(GROUP, "one") == 1
    assert plugins.names(GROUP) == ("one",)


def test_our_own_connector_is_installed_like_a_strangers() -> None:
    assert "braze" in plugins.names(plugins.CONNECTORS)
    assert {"fixed", "uniform", "factored_thompson"} <= set(plugins.names(plugins.POLICIES))
