"""What a project says of profiles: consent, and traits that are computed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opportune import project
from opportune.documents import InvalidDefinition
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONSENT = 'sends = "marketing"\n[purposes.marketing]\nunknown = "no"\n'
COMPUTED = 'event = "Order Completed"\ncompute = "last"\nproperty = "city"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "shop"
    shutil.copytree(Path(__file__).parents[1] / "examples" / "shop", place)
    (place / "computed_traits").mkdir()
    return place


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(InvalidDefinition) as refusal:
        project.load(folder)
    return list(refusal.value.problems)


def use_case(folder: Path) -> Path:
    return folder / "use_cases" / "second-order.toml"


def test_consent_and_computed_traits_are_versions_like_the_rest(
    folder: Path, stores: Stores
) -> None:
    project.apply(stores.state, folder, now=NOW)
    assert project.read(stores.state).consent is None
    (folder / "consent.toml").write_text(CONSENT)
    (folder / "computed_traits" / "city.toml").write_text(COMPUTED)
    use_case(folder).write_text(
        use_case(folder).read_text().replace("[activation]", '[activation]\npurpose = "marketing"')
    )
    assert project.apply(stores.state, folder, now=NOW) == [
        "use_case/second-order version 2",
        "computed_trait/city version 1",
        "settings/consent version 1",
    ]
    found = project.read(stores.state)
    assert found.consent is not None
    assert list(found.consent.purposes) == ["marketing"]
    assert found.use_case("second-order").activation.purpose == "marketing"
    assert found.computed_traits["city"].computations[0].property == "city"
    assert project.apply(stores.state, folder, now=NOW) == []
    (folder / "consent.toml").unlink()
    use_case(folder).write_text(use_case(folder).read_text().replace('purpose = "marketing"', ""))
    assert "settings/consent version 2" in project.apply(stores.state, folder, now=NOW)
    assert project.read(stores.state).consent is None


def test_mistakes_in_consent_are_listed_with_the_others(folder: Path) -> None:
    (folder / "consent.toml").write_text(
        'sends = "news"\nevnt = "x"\n[purposes.marketing]\nunknown = "maybe"\ntraits = { a = 1 }\n'
    )
    use_case(folder).write_text(
        use_case(folder).read_text().replace("[activation]", '[activation]\npurpose = "marketng"')
    )
    assert problems_of(folder) == [
        "consent.toml: purposes.marketing.unknown: 'maybe' given, must be 'no' (ask first) or "
        "'yes' (until somebody refuses).",
        "consent.toml: purposes.marketing.traits.a: 1 given, must be a non-empty text.",
        "consent.toml: sends: no purpose 'news'. Write [purposes.news].",
        "consent.toml: evnt: unknown key. Did you mean 'event'? Allowed: event, purposes, sends.",
        "use_cases/second-order.toml: activation.purpose: consent.toml has no purpose 'marketng'. "
        "Did you mean 'marketing'? Allowed: marketing.",
    ]


def test_a_trait_that_repeats_a_personal_property_is_personal(folder: Path) -> None:
    (folder / "computed_traits" / "has_app.toml").write_text(
        COMPUTED.replace('"city"', '"shippingEmail"')
    )
    assert problems_of(folder) == [
        "use_cases/second-order.toml: dimensions.channel.push.eligible: trait 'has_app' is "
        "personal (as a field that it is computed from), and policy 'personal-data' forbids "
        "personal fields for features. Use another field, or declare it free in opportune.toml if "
        "that is a mistake."
    ]
    (folder / "computed_traits" / "has_app.toml").write_text(
        'event = "Order Completed"\ncompute = "count"\n'
    )
    assert list(project.load(folder).computed_traits) == ["has_app"]
