"""A folder of definitions becomes versions, and versions become a project again."""

from __future__ import annotations

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from opportune import project
from opportune.documents import InvalidDefinition
from opportune.project import ProjectNotFound
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, tzinfo=UTC)
METRIC = 'event = "Order Completed"\nunit = "orders"\nwindow_days = 2\n'
SEGMENT = 'rule = { trait = "tenure", at_least = 1 }\n'
USE_CASE = """
success_metric = "orders"
features = ["tenure", { trait = "plan", one_of = ["plus"] }]
audience = { segments = ["customers"], minus = ["complaining"] }
[policy]
name = "uniform"
[activation]
connector = "braze"
campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
base_url = "http://127.0.0.1:8421"
[[dimensions]]
name = "offer"
options = [{ name = "tv", eligible = { trait = "tenure", more_than = 1e3 } }, { name = "sim" }]
"""
FORBIDDEN = "and policy 'personal-data' forbids personal fields for features. Use another field."
FILES = {
    "metrics/orders.toml": METRIC,
    "segments/customers.toml": SEGMENT,
    "segments/complaining.toml": SEGMENT,
    "use_cases/next.toml": USE_CASE,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "shop"
    for name, text in FILES.items():
        write(place, name, text)
    return place


def write(folder: Path, name: str, text: str | bytes) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)


def change(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    write(folder, name, text.replace(old, new))


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(InvalidDefinition) as refusal:
        project.load(folder)
    assert refusal.value.code == "invalid_definition"
    assert refusal.value.message == "\n".join(refusal.value.problems)
    return list(refusal.value.problems)


def definitions(stores: Stores) -> list[tuple[str, str, int]]:
    rows = stores.state.rows("select kind, name, version from definition order by 1, 2, 3")
    return [(row["kind"], row["name"], row["version"]) for row in rows]


def test_a_folder_is_a_project(folder: Path) -> None:
    found = project.load(folder)
    assert list(found.metrics) == ["orders"]
    assert list(found.segments) == ["complaining", "customers"]
    use_case = found.use_case("next")
    assert use_case.version == 0
    assert found.metric_of(use_case) == found.metrics["orders"]


def test_what_was_applied_is_read_as_it_was_loaded(folder: Path, stores: Stores) -> None:
    assert project.apply(stores.state, folder, now=NOW) == [
        "metric/orders version 1",
        "segment/complaining version 1",
        "segment/customers version 1",
        "use_case/next version 1",
        "settings/traits version 1",
    ]
    loaded, found = project.load(folder), project.read(stores.state)
    assert dict(found.metrics) == dict(loaded.metrics)
    assert dict(found.segments) == dict(loaded.segments)
    assert found.use_case("next").version == 1
    assert {name: replace(each, version=0) for name, each in found.use_cases.items()} == dict(
        loaded.use_cases
    )
    assert stores.state.rows("select distinct created_at from definition") == [{"created_at": NOW}]


def test_applying_the_same_folder_again_writes_nothing(folder: Path, stores: Stores) -> None:
    project.apply(stores.state, folder, now=NOW)
    before = definitions(stores)
    write(folder, "metrics/orders.toml", "# the same\n" + "\n".join(reversed(METRIC.split("\n"))))
    assert project.apply(stores.state, folder, now=NOW) == []
    assert definitions(stores) == before


def test_what_changed_is_one_new_version(folder: Path, stores: Stores) -> None:
    project.apply(stores.state, folder, now=NOW)
    change(folder, "use_cases/next.toml", "uniform", "fixed")
    assert project.apply(stores.state, folder, now=NOW) == ["use_case/next version 2"]
    found = project.read(stores.state).use_case("next")
    assert (found.version, found.policy) == (2, "fixed")
    write(folder, "use_cases/next.toml", USE_CASE)
    assert project.apply(stores.state, folder, now=NOW) == ["use_case/next version 3"]
    assert project.read(stores.state).use_case("next").policy == "uniform"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("window_days = 2", "window_days = 3"),
        ("Order Completed", "Order Paid"),
        ('unit = "orders"', 'unit = "EUR"\nvalue = "revenue"'),
    ],
    ids=["window", "event", "value"],
)
def test_a_metric_that_counts_something_else_renews_the_use_cases_that_learn_from_it(
    folder: Path, stores: Stores, old: str, new: str
) -> None:
    write(folder, "metrics/visits.toml", METRIC)
    write(folder, "use_cases/other.toml", USE_CASE.replace('"orders"', '"visits"'))
    project.apply(stores.state, folder, now=NOW)
    change(folder, "metrics/orders.toml", old, new)
    (folder / "use_cases" / "next.toml").unlink()
    assert project.apply(stores.state, folder, now=NOW) == [
        "metric/orders version 2",
        "use_case/next version 2",
    ]
    assert project.apply(stores.state, folder, now=NOW) == []
    assert project.read(stores.state).use_case("next").version == 2


def test_another_title_of_a_metric_renews_nothing_else(folder: Path, stores: Stores) -> None:
    project.apply(stores.state, folder, now=NOW)
    write(folder, "metrics/orders.toml", METRIC + 'title = "Orders"\n')
    assert project.apply(stores.state, folder, now=NOW) == ["metric/orders version 2"]


def test_personal_traits_have_versions_too(folder: Path, stores: Stores) -> None:
    project.apply(stores.state, folder, now=NOW)
    write(folder, "opportune.toml", '[traits]\npersonal = ["nick", "iban"]\n')
    assert project.apply(stores.state, folder, now=NOW) == ["settings/traits version 2"]
    write(folder, "opportune.toml", '[traits]\npersonal = ["iban", "nick"]\n')
    assert project.apply(stores.state, folder, now=NOW) == []


def test_nothing_applied_is_an_empty_project(stores: Stores) -> None:
    found = project.read(stores.state)
    assert (dict(found.metrics), dict(found.segments), dict(found.use_cases)) == ({}, {}, {})
    with pytest.raises(ProjectNotFound, match=r"^No use case 'next'\. Allowed: nothing\.$"):
        found.use_case("next")


def test_an_unknown_use_case_gets_the_nearest_name(folder: Path) -> None:
    with pytest.raises(ProjectNotFound) as refusal:
        project.load(folder).use_case("nxt")
    assert refusal.value.message == "No use case 'nxt'. Did you mean 'next'? Allowed: next."
    assert refusal.value.code == "project_not_found"


def test_a_parallel_apply_makes_no_version_twice_and_no_error(folder: Path, stores: Stores) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(project.apply, stores.state, folder, now=NOW) for _ in range(8)]
    written = [run.result() for run in runs]
    assert sorted(len(each) for each in written) == [0] * 7 + [5]
    assert [version for _, _, version in definitions(stores)] == [1] * 5


def test_parallel_changes_become_versions_one_after_the_other(
    folder: Path, stores: Stores, tmp_path: Path
) -> None:
    folders = []
    for number in range(4):
        folders.append(tmp_path / str(number))
        for name, text in FILES.items():
            write(folders[-1], name, f'title = "{number}"\n{text}')
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(project.apply, stores.state, each, now=NOW) for each in folders]
    assert [len(run.result()) >= 4 for run in runs] == [True] * 4
    assert [each for each in definitions(stores) if each[0] == "use_case"] == [
        ("use_case", "next", version) for version in (1, 2, 3, 4)
    ]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, stores: Stores) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(ProjectNotFound, match=re.escape(f"{missing} is not a folder.")):
        project.load(missing)
    with pytest.raises(ProjectNotFound, match=r"has no use_cases/\*\.toml"):
        project.apply(stores.state, tmp_path, now=NOW)
    assert definitions(stores) == []


def test_all_mistakes_of_all_files_are_listed_at_once(folder: Path) -> None:
    write(folder, "opportune.toml", '[traits]\npersonal = "plan"\n[trats]\n')
    write(folder, "metrics/orders.toml", METRIC.replace("unit", "unti"))
    write(folder, "segments/customers.toml", "rule = {}\n")
    write(folder, "segments/broken.toml", "rule = {\n")
    write(folder, "segments/bad name.toml", SEGMENT)
    write(
        folder,
        "use_cases/next.toml",
        USE_CASE.replace('"orders"', '"order"')
        .replace('"customers"', '"custmers", "broken"')
        .replace('"complaining"', '"complaning"')
        .replace('["tenure"', '["email", "tenure"')
        .replace('trait = "tenure", more_than = 1e3', 'trait = "phone", exists = true')
        .replace('"uniform"', '"unifrom"')
        .replace('"braze"', '"brase"')
        .replace("[[dimensions]]", "[[dimensions]]\nmeanig = 1"),
    )
    metrics = (
        "Allowed: aggregate, cost, currency, event, events, formula, proxy, title, unit, value, "
        "where, window_days."
    )
    where = "use_cases/next.toml"
    assert problems_of(folder) == [
        "'segments/bad name.toml': the file's name is the definition's name. Allowed: small "
        "letters, digits, _ and -, 63 at most, the first a letter or digit.",
        "segments/broken.toml: not valid TOML: Invalid initial character for a key part "
        "(at line 1, column 9)",
        "opportune.toml: traits.personal: 'plan' given, must be a list of texts.",
        "opportune.toml: trats: unknown key. Did you mean 'traits'? Allowed: holdout, identity, "
        "properties, traits.",
        "metrics/orders.toml: unit: missing, must be a non-empty text.",
        f"metrics/orders.toml: unti: unknown key. Did you mean 'unit'? {metrics}",
        "segments/customers.toml: rule: '' begins no rule. "
        "Allowed: all, any, event, not, segment, sequence, session, trait.",
        f"{where}: dimensions[0].meanig: unknown key. Did you mean 'meaning'? "
        "Allowed: meaning, name, options.",
        f"{where}: success_metric: no metric 'order'. Did you mean 'orders'? Allowed: orders.",
        f"{where}: audience.segments: no segment 'custmers'. Did you mean 'customers'? "
        "Allowed: bad name, broken, complaining, customers.",
        f"{where}: audience.minus: no segment 'complaning'. Did you mean 'complaining'? "
        "Allowed: bad name, broken, complaining, customers.",
        f"{where}: features: trait 'email' is personal (by its name), {FORBIDDEN}",
        f"{where}: dimensions.offer.tv.eligible: trait 'phone' is personal (by its name), "
        f"{FORBIDDEN}",
        f"{where}: policy.name: No plugin 'unifrom' in opportune.policies. "
        "Did you mean 'uniform'? Allowed: epsilon_greedy, factored_thompson, fixed, trees, "
        "uniform, wabbit.",
        f"{where}: activation: No plugin 'brase' in opportune.connectors. "
        "Did you mean 'braze'? Allowed: braze.",
    ]


def test_what_a_success_metric_adds_up_is_a_feature_too(folder: Path) -> None:
    write(
        folder,
        "metrics/orders.toml",
        'event = "Visit Booked"\nvalue = "diagnosis"\nunit = "EUR"\nwindow_days = 2\n',
    )
    assert problems_of(folder) == [
        "use_cases/next.toml: success_metric 'orders': property 'diagnosis' of 'Visit Booked' is "
        "sensitive (by its name), and policy 'sensitive-data' forbids sensitive fields for "
        "features. Use another field, or declare it free in opportune.toml if that is a mistake."
    ]


def test_a_missing_value_is_missed_once(folder: Path) -> None:
    change(folder, "use_cases/next.toml", 'success_metric = "orders"', "")
    change(folder, "use_cases/next.toml", 'connector = "braze"', "")
    change(folder, "use_cases/next.toml", 'name = "uniform"', "name = 1")
    assert problems_of(folder) == [
        "use_cases/next.toml: success_metric: missing, must be a non-empty text.",
        "use_cases/next.toml: policy.name: 1 given, must be a non-empty text.",
        "use_cases/next.toml: activation.connector: missing, must be a non-empty text.",
    ]


def test_rules_of_identity_have_versions_once_there_are_any(folder: Path, stores: Stores) -> None:
    assert not any("identity" in line for line in project.apply(stores.state, folder, now=NOW))
    write(folder, "opportune.toml", '[identity]\nconsent = "personalise"\n')
    assert project.apply(stores.state, folder, now=NOW) == ["settings/identity version 1"]
    assert project.apply(stores.state, folder, now=NOW) == []
    write(folder, "opportune.toml", "")
    assert project.apply(stores.state, folder, now=NOW) == ["settings/identity version 2"]
    assert project.apply(stores.state, folder, now=NOW) == []
    assert project.read(stores.state).use_case("next").version == 1


def test_mistakes_in_the_rules_of_identity_are_listed_with_the_others(folder: Path) -> None:
    write(folder, "opportune.toml", "identity = 5\n")
    assert problems_of(folder) == ["opportune.toml: identity: 5 given, must be a table."]
    write(folder, "opportune.toml", '[identity]\nconsents = "x"\nlimits = { email = 0 }\n')
    assert problems_of(folder) == [
        "opportune.toml: identity.limits.email: 0 given, must be a number from 1 to 1000.",
        "opportune.toml: identity.consents: unknown key. Did you mean 'consent'? Allowed: "
        "alias_sources, blocked, blocked_patterns, consent, kinds, limits, most_identifiers, "
        "other_limit, priority.",
    ]


def test_what_a_project_declares_personal_is_never_used(folder: Path) -> None:
    write(folder, "opportune.toml", '[traits]\npersonal = ["plan", "tenure"]\n')
    assert problems_of(folder) == [
        f"use_cases/next.toml: {where}: trait '{trait}' is personal (as declared), {FORBIDDEN}"
        for where, trait in (
            ("features", "tenure"),
            ("features", "plan"),
            ("dimensions.offer.tv.eligible", "tenure"),
        )
    ]


def test_what_the_connector_finds_wrong_is_listed(folder: Path) -> None:
    change(folder, "use_cases/next.toml", "base_url", "base_ulr")
    assert problems_of(folder) == [
        "use_cases/next.toml: activation: base_url is missing: Braze needs it.",
        "use_cases/next.toml: activation: base_ulr is no Braze setting. "
        "Did you mean 'base_url'? Allowed: base_url, campaign_id, canvas_id, messages.",
    ]


SHOWN = "[web_push]\nalert = '{{api_trigger_properties.${offer}}}'\n"
CAMPAIGN = 'campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"'


def test_messages_of_a_file_are_part_of_the_definition(folder: Path, stores: Stores) -> None:
    change(folder, "use_cases/next.toml", CAMPAIGN, 'messages_file = "messages/offer.toml"')
    write(folder, "messages/offer.toml", SHOWN)
    assert project.load(folder).use_cases["next"].activation.config["messages"] == SHOWN
    project.apply(stores.state, folder, now=NOW)
    write(folder, "messages/offer.toml", SHOWN + "title = 'New'\n")
    assert project.apply(stores.state, folder, now=NOW) == ["use_case/next version 2"]
    config = project.read(stores.state).use_cases["next"].activation.config
    assert "title = 'New'" in config["messages"]
    write(folder, "messages/offer.toml", "[web_push]\nalert = 'Hi'\n")
    (problem,) = problems_of(folder)
    assert problem.startswith(
        "use_cases/next.toml: activation: messages: no text shows the dimension 'offer'."
    )


@pytest.mark.parametrize(
    ("said", "content", "problem"),
    [
        ('"../offer.toml"', b"", "'../offer.toml' given, must be a file in the folder"),
        ("7", b"", "7 given, must be a file in the folder of the project."),
        ('"offer.toml"', None, "'offer.toml' cannot be read: No such file or directory."),
        ('"offer.toml"', b"\xff", "'offer.toml' cannot be read: it is not UTF-8."),
        ('"offer.toml"', b"a\0", "has more than 1 MB, or the character U+0000."),
        ('"offer.toml"', b" \n", "'offer.toml' is empty."),
        ('"offer.toml"\nmessages = "x"', b"x", "messages is given as well: take one of them."),
    ],
)
def test_a_file_of_messages_that_cannot_be_used_is_named(
    folder: Path, said: str, content: bytes | None, problem: str
) -> None:
    change(folder, "use_cases/next.toml", CAMPAIGN, f"messages_file = {said}")
    if content is not None:
        write(folder, "offer.toml", content)
    first = problems_of(folder)[0]
    assert first.startswith("use_cases/next.toml: activation.messages_file: ")
    assert problem in first


def test_a_schedule_that_nothing_can_wait_in_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(folder, "use_cases/next.toml", "[activation]", '[activation]\nschedule = "braze"')
    assert problems_of(folder) == [
        "use_cases/next.toml: activation.schedule: 'braze' given, but everything is sent at once: "
        'give it a dimension that means hour or day, or quiet hours, or take "ours".'
    ]
    hours = 'name = "hour"\nmeaning = "hour"\noptions = [{ name = "09" }, { name = "18" }]'
    change(
        folder, "use_cases/next.toml", "[[dimensions]]", f"[[dimensions]]\n{hours}\n[[dimensions]]"
    )
    change(folder, "use_cases/next.toml", 'connector = "braze"', 'connector = "brase"')
    (problem,) = problems_of(folder)
    assert "activation: No plugin 'brase'" in problem
    # A connector as it was before, or of somebody else.
    plain = SimpleNamespace(check_config=lambda config: [])
    monkeypatch.setattr("opportune.project.check.connector", lambda name: plain)
    assert problems_of(folder) == [
        "use_cases/next.toml: activation.schedule: 'braze' given, but the connector 'brase' holds "
        'nothing until its time: take "ours", or the connector braze.'
    ]


def test_a_space_that_its_policy_cannot_play_is_refused_before_the_first_day(folder: Path) -> None:
    options = ", ".join(f'{{ name = "o{place}" }}' for place in range(60))
    more = "".join(f'[[dimensions]]\nname = "d{n}"\noptions = [{options}]\n' for n in range(4))
    write(folder, "use_cases/next.toml", USE_CASE + more)
    assert len(project.load(folder).use_cases) == 1
    change(folder, "use_cases/next.toml", "uniform", "factored_thompson")
    assert problems_of(folder) == [
        "use_cases/next.toml: policy: The space has 25920000 combinations; the policy "
        "'factored_thompson' takes up to 16777216. Drop options or a dimension."
    ]


def test_a_policy_whose_package_is_not_installed_is_a_mistake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(folder, "use_cases/next.toml", "uniform", "trees")
    assert project.load(folder).use_case("next").policy == "trees"
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert problems_of(folder) == [
        "use_cases/next.toml: policy: The policy 'trees' needs LightGBM, which is not installed. "
        "Install opportune with its extra: pip install 'opportune[trees]'."
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = \n", "metrics/orders.toml: not valid TOML: Invalid value (at line 1, column 5)"),
        (
            b"a = '\xff'",
            "metrics/orders.toml: not valid TOML: 'utf-8' codec can't decode byte 0xff",
        ),
        ("a = " + "[" * 5_000 + "]" * 5_000, "metrics/orders.toml: nested too deeply."),
        ("a = " + "9" * 5_000, "metrics/orders.toml: not valid TOML: Exceeds the limit"),
        (
            METRIC + 'title = "a\\u0000"',
            "metrics/orders.toml: a text has the character U+0000, which cannot be kept.",
        ),
        (
            METRIC + 'more = [{ x = ["a\\u0000"] }]',
            "metrics/orders.toml: a text has the character U+0000, which cannot be kept.",
        ),
    ],
    ids=["syntax", "not utf-8", "too deep", "a number too long", "a nul", "a nul deep inside"],
)
def test_a_file_that_cannot_be_used_is_named(
    folder: Path, stores: Stores, text: str | bytes, problem: str
) -> None:
    write(folder, "metrics/orders.toml", text)
    (only,) = problems_of(folder)
    assert only.startswith(problem)
    with pytest.raises(InvalidDefinition):
        project.apply(stores.state, folder, now=NOW)
    assert definitions(stores) == []


def test_a_file_that_cannot_be_opened_is_named(folder: Path) -> None:
    (folder / "metrics" / "other.toml").mkdir()
    (folder / "segments" / "gone.toml").symlink_to(folder / "nowhere")
    assert problems_of(folder) == [
        f"metrics/other.toml: cannot be read: {os.strerror(21)}.",
        f"segments/gone.toml: cannot be read: {os.strerror(2)}.",
    ]


@pytest.mark.parametrize("name", ["Next", "a.b", "a:b", "-a", "é", "x" * 64])
def test_a_file_name_that_cannot_be_part_of_an_id_is_refused(folder: Path, name: str) -> None:
    write(folder, f"use_cases/{name}.toml", USE_CASE)
    (only,) = problems_of(folder)
    assert only.startswith(f"'use_cases/{name}.toml': the file's name is the definition's name.")


def test_all_or_nothing_is_applied(folder: Path, stores: Stores) -> None:
    project.apply(stores.state, folder, now=NOW)
    before = definitions(stores)
    change(folder, "segments/customers.toml", "at_least = 1", "at_least = 2")
    change(folder, "metrics/orders.toml", "window_days = 2", "window_days = 0")
    with pytest.raises(InvalidDefinition):
        project.apply(stores.state, folder, now=NOW)
    assert definitions(stores) == before


def test_what_was_applied_before_must_still_fit(
    folder: Path, stores: Stores, tmp_path: Path
) -> None:
    project.apply(stores.state, folder, now=NOW)
    before = definitions(stores)
    other = tmp_path / "other"
    for name, text in FILES.items():
        write(other, name.replace("next", "later"), text.replace("tenure", "age"))
    write(other, "opportune.toml", '[traits]\npersonal = ["plan"]\n')
    change(other, "use_cases/later.toml", '"plan"', '"level"')
    with pytest.raises(InvalidDefinition) as refusal:
        project.apply(stores.state, other, now=NOW)
    assert refusal.value.problems == (
        "use_cases/next.toml: features: trait 'plan' is personal (as declared), "
        f"{FORBIDDEN} It was applied before and is not in {other}: put it there, repaired.",
    )
    assert definitions(stores) == before
    assert project.read(stores.state).use_case("next").version == 1
    write(other, "use_cases/next.toml", USE_CASE.replace('"plan"', '"level"').replace("ten", "Ten"))
    assert project.apply(stores.state, other, now=NOW) == [
        "segment/complaining version 2",
        "segment/customers version 2",
        "use_case/later version 1",
        "use_case/next version 2",
        "settings/traits version 2",
    ]
    assert sorted(project.read(stores.state).use_cases) == ["later", "next"]


def test_a_project_cannot_be_changed_by_its_reader(folder: Path) -> None:
    found = project.load(folder)
    with pytest.raises(TypeError):
        found.metrics["x"] = found.metrics["orders"]  # type: ignore[index]


def test_another_holdout_is_a_new_version_of_every_use_case(folder: Path, stores: Stores) -> None:
    project.apply(stores.state, folder, now=NOW)
    write(folder, "opportune.toml", "[holdout]\nshare = 0.05\n")
    written = project.apply(stores.state, folder, now=NOW)
    assert {"use_case/next version 2", "settings/holdout version 1"} <= set(written)
    assert project.read(stores.state).use_cases["next"].holdout_share == 0.05
    assert project.apply(stores.state, folder, now=NOW) == []
    write(folder, "opportune.toml", "[holdout]\nshare = 0.7\n")
    with pytest.raises(InvalidDefinition, match=r"opportune.toml: holdout.share: 0.7 given"):
        project.apply(stores.state, folder, now=NOW)


def test_a_segment_of_braze_takes_no_attribute_that_says_who_somebody_is(folder: Path) -> None:
    body = """
base_url = "https://rest.fra-01.braze.eu"
segment_id = "2b1f6f0c-9c0b-4a2e-8f49-1b6f7f1f9a01"
custom_attributes = ["plan", "billing_email"]
"""
    write(folder, "braze_segments/fibre.toml", body)
    with pytest.raises(InvalidDefinition) as raised:
        project.load(folder)
    (problem,) = raised.value.problems
    assert problem.startswith(
        "braze_segments/fibre.toml: custom_attributes: 'billing_email' is personal by its name"
    )
    write(folder, "opportune.toml", '[traits]\nfree = ["billing_email"]\n')
    found = project.load(folder).braze_segments["fibre"]
    assert found.custom_attributes == ("plan", "billing_email")
