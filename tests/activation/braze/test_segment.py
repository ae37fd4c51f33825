from __future__ import annotations

import pytest

from opportune.activation import braze
from opportune.activation.braze import parse_braze_segment

BODY = {
    "base_url": "https://rest.fra-01.braze.eu",
    "segment_id": "2b1f6f0c-9c0b-4a2e-8f49-1b6f7f1f9a01",
}


def problems_of(**body: object) -> list[str]:
    problems: list[str] = []
    assert parse_braze_segment("fibre", BODY | body, problems) is None
    return problems


def test_a_definition_says_which_segment_and_what_is_taken() -> None:
    problems: list[str] = []
    body = BODY | {"fields": ["time_zone", "country"], "custom_attributes": ["plan"]}
    found = parse_braze_segment("fibre", body, problems)
    assert problems == []
    assert found is not None
    assert (found.fields, found.custom_attributes) == (("time_zone", "country"), ("plan",))
    assert (found.membership, found.source_id) == ("braze_fibre", "braze")
    assert braze.named_segment({"fibre": found}, "fibre") is found
    with pytest.raises(braze.UnknownBrazeSegment, match="Did you mean 'fibre'"):
        braze.named_segment({"fibre": found}, "fiber")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"fields": ["email"]}, "fields: The field 'email' is never asked of Braze"),
        ({"fields": ["custom_attributes"]}, "'custom_attributes' would bring all"),
        ({"fields": ["purchases"]}, "fields: 'purchases' is no trait."),
        ({"fields": ["country"], "custom_attributes": ["country"]}, "stands there twice"),
        ({"custom_attributes": ["address.city"]}, "must be a name without dots"),
        ({"custom_attributes": [f"a{n}" for n in range(300)]}, "300 given, at most 299"),
        ({"segment_id": "fibre"}, "segment_id: segment_id is 'fibre'"),
        ({"base_url": "rest.fra-01.braze.eu"}, "base_url: base_url must be"),
        ({"segment": "x"}, "segment: unknown key"),
    ],
)
def test_what_cannot_be_asked_for_is_told(body: dict[str, object], said: str) -> None:
    (problem,) = problems_of(**body)
    assert problem.startswith("braze_segments/fibre.toml: ")
    assert said in problem
