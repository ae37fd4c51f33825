"""Settings: typed, every mistake told by the variable's name, nothing secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from opportune.settings import InvalidSetting, Settings, as_variables, load


def test_without_variables_the_defaults_hold() -> None:
    settings = load({"HOME": "x", "OPPORTUNES": "x"})
    assert settings == Settings()
    assert settings.host == "127.0.0.1"
    assert (settings.port, settings.database_url) == (8420, "")
    assert settings.log_folder == Path("opportune-data/log")
    assert settings.lake_folder == Path("opportune-data/lake")
    assert settings.database_folder == Path("opportune-data/database/pg")


def test_settings_come_back_from_the_variables_they_were_written_to() -> None:
    settings = Settings(
        data_folder=Path("/srv/my data"),
        database_url="postgresql://joe:secret@db/opportune?sslmode=require",
        host="0.0.0.0",
        port=80,
        max_batch_bytes=1,
        max_message_bytes=2,
        segment_compatible=True,
        braze_api_key="key",
        braze_settle_s=0.25,
        braze_timeout_s=0.125,
        destination_settle_s=1.5,
        outbox_days=7,
        secrets=(("OPPORTUNE_SECRET_A", "one"), ("OPPORTUNE_SECRET_B", "two")),
    )
    variables = as_variables(settings)
    assert variables["OPPORTUNE_DATA_FOLDER"] == "/srv/my data"
    assert variables["OPPORTUNE_BRAZE_SETTLE_S"] == "0.25"
    assert load(variables) == settings
    assert load(as_variables(Settings())) == Settings()


def test_nobody_asks_about_a_call_that_is_still_under_way() -> None:
    for settle_s in ("30", "0.5"):
        with pytest.raises(InvalidSetting, match="must be more than OPPORTUNE_BRAZE_TIMEOUT_S, 30"):
            load({"OPPORTUNE_BRAZE_SETTLE_S": settle_s})
    given = {"OPPORTUNE_BRAZE_SETTLE_S": "30", "OPPORTUNE_BRAZE_TIMEOUT_S": "29"}
    assert load(given).braze_settle_s == 30


def test_the_process_is_asked_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNE_PORT", "9000")
    assert load().port == 9000


def test_an_unknown_variable_is_told_with_the_nearest_name() -> None:
    with pytest.raises(InvalidSetting) as refused:
        load({"OPPORTUNE_PROT": "1"})
    assert refused.value.message.startswith(
        "Unknown setting OPPORTUNE_PROT. Did you mean 'OPPORTUNE_PORT'? Allowed: "
        "OPPORTUNE_BRAZE_API_KEY, OPPORTUNE_BRAZE_SETTLE_S, "
    )
    assert refused.value.code == "invalid_setting"


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        (
            "OPPORTUNE_TIME_ZONE",
            "Lisbon",
            "OPPORTUNE_TIME_ZONE is 'Lisbon', but must be the name of a time zone, such as "
            "Europe/Lisbon.",
        ),
        (
            "OPPORTUNE_EMBED_ORIGINS",
            "https://desk.example; script-src *",
            "OPPORTUNE_EMBED_ORIGINS is 'https://desk.example; script-src *', but must be origins "
            "separated by spaces, such as https://desk.example.com.",
        ),
        (
            "OPPORTUNE_EMBED_KEY",
            "secret",
            "OPPORTUNE_EMBED_KEY must be 16 characters or more, such as from `openssl rand -hex "
            "32`.",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_does(
    variable: str, text: str, said: str
) -> None:
    with pytest.raises(InvalidSetting) as refused:
        load({variable: text})
    assert refused.value.message == said


@pytest.mark.parametrize(
    ("text", "on"),
    [("true", True), ("True", True), ("1", True), ("false", False), ("0", False), ("", False)],
)
def test_a_switch_is_on_or_off(text: str, on: bool) -> None:
    assert load({"OPPORTUNE_SEGMENT_COMPATIBLE": text}).segment_compatible is on


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("OPPORTUNE_SEGMENT_COMPATIBLE", "perhaps", "true or false"),
        ("OPPORTUNE_PORT", "eighty", "a whole number, 0 or more"),
        ("OPPORTUNE_PORT", "80.5", "a whole number, 0 or more"),
        ("OPPORTUNE_PORT", "", "a whole number, 0 or more"),
        ("OPPORTUNE_MAX_BATCH_BYTES", "-1", "a whole number, 0 or more"),
        ("OPPORTUNE_BRAZE_SETTLE_S", "soon", "a number, 0 or more"),
        ("OPPORTUNE_BRAZE_SETTLE_S", "nan", "a number, 0 or more"),
        ("OPPORTUNE_BRAZE_SETTLE_S", "inf", "a number, 0 or more"),
    ],
)
def test_a_number_that_is_none_is_refused(variable: str, text: str, allowed: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        load({variable: text})
    assert refused.value.message == f"{variable} is {text!r}, but must be {allowed}."


def test_secrets_are_not_shown() -> None:
    settings = Settings(braze_api_key="top", database_url="postgresql://joe:secret@db/x")
    assert "top" not in repr(settings)
    assert "secret" not in repr(settings)


def test_each_secret_is_a_variable_of_its_own_and_shown_nowhere() -> None:
    settings = load({"OPPORTUNE_SECRET_CRM": "top", "OPPORTUNE_SECRET_SHOP": "low"})
    assert settings.secret("OPPORTUNE_SECRET_CRM") == "top"
    assert settings.secret("OPPORTUNE_SECRET_OTHER") == ""
    assert "top" not in repr(settings)
    with pytest.raises(InvalidSetting):
        load({"OPPORTUNE_SECRETS": "top"})
