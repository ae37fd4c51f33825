"""Which fields may be used for what, over HTTP and on the command line."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from opportune import cli, events, pipeline
from opportune.settings import as_variables
from opportune.storage import Frame, SegmentLog, Stores


def take_in(stores: Stores, **traits: object) -> None:
    message = {"type": "identify", "userId": "c", "messageId": "m", "traits": traits}
    body = json.dumps({"batch": [message]}).encode()
    log = SegmentLog(stores.settings.log_folder)
    frame = Frame(received_at_us=1_768_107_600_000_000, source_id="a", kind="batch", body=body)
    log.append(frame).result(10)
    log.close()
    ingest = pipeline.Ingest(stores, {"batch": events.decode_segment})
    ingest.tick()
    ingest.close()


def test_policies_are_told_with_the_fields_they_speak_of_and_what_breaks_them(
    site: Any,
    apply: Any,
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    apply({"next_offer": "Next offer"})
    take_in(stores, tenure_months="a@b.example", gender="f", city="Graz")
    answer = json.loads(site.get("/api/privacy/policies").text)
    schema = json.loads(site.get("/api/openapi.json").text)
    shape = schema["paths"]["/privacy/policies"]["get"]["responses"]["200"]["content"]
    told = {**shape["application/json"]["schema"], "components": schema["components"]}
    jsonschema.validate(answer, told)
    assert answer["as_of"] == "2026-01-11T06:00:00Z"
    assert sorted(answer["uses"]) == sorted(events.USES)
    assert [(each["name"], each["built_in"]) for each in answer["policies"]] == [
        ("personal-data", True),
        ("sensitive-data", True),
    ]
    users = ["segment/everybody", "use_case/next_offer"]
    assert answer["fields"] == [
        {"kind": "trait", "name": "gender", "labels": {"sensitive": "name"}, "used_by": []},
        {
            **{"kind": "trait", "name": "tenure_months", "labels": {"personal": "value"}},
            "used_by": users,
        },
    ]
    (violation,) = answer["violations"]
    message = violation.pop("message")
    assert message.startswith("trait 'tenure_months' is personal (by values that came), and policy")
    assert violation == {
        **{"definition": "use_case/next_offer", "where": "features"},
        **{"use": "features/next_offer", "kind": "trait", "name": "tenure_months", "event": None},
        **{"label": "personal", "because": "value", "policy": "personal-data", "used_by": users},
    }
    for name, value in as_variables(stores.settings).items():
        monkeypatch.setenv(name, value)
    printed = typed(monkeypatch, capsys, "field-policies")
    assert printed == (
        "policy personal-data: no personal field for features\n"
        "policy sensitive-data: no sensitive field for features, activation, audiences, "
        "destinations, exports, web\n"
        "trait gender: sensitive (name)\n"
        "trait tenure_months: personal (value)\n",
        f"refused: use_case/next_offer, features: {message}\n",
    )
    document = json.loads(typed(monkeypatch, capsys, "field-policies", "--json")[0])
    assert {**document, "as_of": answer["as_of"]} == {
        **answer,
        "violations": [{**violation, "message": message}],
    }


def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[str, str]:
    monkeypatch.setattr("sys.argv", ["opportune", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    out, err = capsys.readouterr()
    return out, err
