"""Check definitions against each other, and make a project of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TypeVar, cast

from opportune import plugins
from opportune.activation import (
    Destination,
    Publishing,
    Scheduling,
    forbidden_audiences,
    parse_destination,
    sent_fields,
)
from opportune.activation.braze import BrazeSegment, check_direct, parse_braze_segment
from opportune.activation.connectors import connector
from opportune.decisions import UseCase, forbidden_uses, parse_holdout, read_use_case
from opportune.documents import InvalidDefinition, read_each
from opportune.errors import InvalidInput, OpportuneError, Unsupported, nearest
from opportune.events import (
    Field,
    FieldPolicies,
    Metric,
    Use,
    field_class,
    forbidden_fields,
    parse_field_policies,
    parse_metrics,
    parse_plan,
)
from opportune.learning import PolicyKind, reward_kind
from opportune.profiles import ComputedTrait, ConsentRules, parse_computed_trait, parse_consent
from opportune.project.model import CONSENT, HOLDOUT, PRIVACY, Definitions, Project
from opportune.segments import Audience, Segment, parse_audiences, parse_segments

__all__ = ["build"]

T = TypeVar("T")


def build(
    given: Definitions, problems: list[str], *, personal: Collection[Field] | None = None
) -> Project:
    """Parse and check everything against each other; raises all ``problems``, earlier ones too.

    ``personal`` are the fields that values tell. If it is None, policies are not asked: what was
    applied is asked about when it is used, and one field must not stop all from being read.
    """
    metrics = parse_metrics(given.bodies["metric"], problems)
    segments = parse_segments(given.bodies["segment"], problems)
    audiences = parse_audiences(given.bodies["audience"], segments, problems)
    plans = read_each(given.bodies["tracking_plan"], parse_plan, problems)
    policies = parse_field_policies(
        given.said.get(PRIVACY, {}),
        problems,
        classes=given.classes,
        use_cases=given.bodies["use_case"],
        more_labels={label for each in audiences.values() for label in each.labels},
    )
    computed = _computed(given, metrics, problems)
    policies = replace(policies, sources=_sources(computed))
    consent = _consent(given, problems)
    destinations = read_each(given.bodies["destination"], parse_destination, problems)
    brought = _brought(given, problems)
    leaving = _leaving(audiences, destinations, segments, policies)
    _check_audiences(leaving, given.bodies["audience"], consent, problems)
    _check_sent_fields(leaving, personal, problems)
    known = _Known(metrics=metrics, segments=segments, policies=policies, consent=consent)
    use_cases = _use_cases(given, known, problems, personal=personal)
    if problems:
        raise InvalidDefinition(problems)
    use_cases = _held_out(use_cases, given)
    return Project(
        metrics=_readable(metrics),
        segments=_readable(segments),
        use_cases=MappingProxyType(use_cases),
        tracking_plans=_readable(plans),
        classes=given.classes,
        field_policies=policies,
        destinations=_readable(destinations),
        audiences=MappingProxyType(audiences),
        consent=consent,
        computed_traits=_readable(computed),
        braze_segments=_readable(brought),
    )


def _computed(
    given: Definitions, metrics: Mapping[str, Metric | None], problems: list[str]
) -> dict[str, ComputedTrait | None]:
    parse = partial(parse_computed_trait, metrics=metrics)
    return read_each(given.bodies["computed_trait"], parse, problems)


def _consent(given: Definitions, problems: list[str]) -> ConsentRules | None:
    asked = given.said.get(CONSENT)
    return parse_consent(asked, problems, where="consent.toml") if asked else None


def _brought(given: Definitions, problems: list[str]) -> dict[str, BrazeSegment | None]:
    """Note custom attributes of Braze that would tell who somebody is: they stay there."""
    brought = read_each(given.bodies["braze_segment"], parse_braze_segment, problems)
    for name, segment in brought.items():
        for each in segment.custom_attributes if segment else ():
            found = field_class("trait", each, declared=given.classes)
            if found.name != "free":
                problems.append(
                    f"braze_segments/{name}.toml: custom_attributes: '{each}' is {found.name} "
                    f"{'as declared' if found.because == 'declared' else 'by its name'}, and only "
                    "what says nothing of who somebody is, is brought in. Leave it out, or declare "
                    "it 'free' in opportune.toml, [traits], where it is."
                )
    return brought


def _held_out(use_cases: Mapping[str, UseCase], given: Definitions) -> dict[str, UseCase]:
    """Tell each use case the share of all people whom none of them sends anything."""
    share = parse_holdout(given.said.get(HOLDOUT, {}), [], where=HOLDOUT)
    return {name: replace(each, holdout_share=share) for name, each in use_cases.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a use case may name; None is what is there and cannot be read."""

    metrics: Mapping[str, Metric | None]
    segments: Mapping[str, Segment | None]
    policies: FieldPolicies
    consent: ConsentRules | None


def _use_cases(
    given: Definitions,
    known: _Known,
    problems: list[str],
    *,
    personal: Collection[Field] | None,
) -> dict[str, UseCase]:
    use_cases = {}
    for name, body in given.bodies["use_case"].items():
        if body is None:
            continue
        before = len(problems)
        version = given.versions.get(name, 0)
        use_cases[name] = read_use_case(name, body, problems, version=version)
        _check_references(use_cases[name], known.metrics, known.segments, problems)
        if personal is not None:
            found = forbidden_uses(
                use_cases[name],
                known.segments,
                known.policies,
                metrics=known.metrics,
                personal=personal,
            )
            problems += (f"use_cases/{name}.toml: {where}: {each.message}" for where, each in found)
        _check_plugins(use_cases[name], problems)
        _check_direct(use_cases[name], problems)
        _check_purpose(use_cases[name], known.consent, problems)
        _check_metrics(use_cases[name], known.metrics, problems)
        metric = known.metrics.get(use_cases[name].success_metric)
        if len(problems) == before and metric is not None:
            _check_start(use_cases[name], metric, "policy", problems)
            if (champion := use_cases[name].as_champion) is not None:
                _check_start(champion, metric, "groups.champion_policy", problems)
    return use_cases


def _readable(definitions: Mapping[str, T | None]) -> Mapping[str, T]:
    return MappingProxyType({name: each for name, each in definitions.items() if each})


def _sources(computed: Mapping[str, ComputedTrait | None]) -> dict[str, tuple[Field, ...]]:
    """Return the properties whose values a computed trait may repeat."""
    return {
        name: tuple(Field(kind="property", name=shown, event=event) for event, shown in each.shown)
        for name, each in computed.items()
        if each is not None and each.shown
    }


def _leaving(
    audiences: Mapping[str, Audience],
    destinations: Mapping[str, Destination | None],
    segments: Mapping[str, Segment | None],
    policies: FieldPolicies,
) -> Publishing:
    return Publishing(
        audiences=audiences,
        destinations=_readable(destinations),
        segments=_readable(segments),
        policies=policies,
    )


def _check_sent_fields(
    publishing: Publishing, personal: Collection[Field] | None, problems: list[str]
) -> None:
    """Note every field that a destination lists, or an audience tells it, and it may not get."""
    if personal is None:
        return
    for name, destination in publishing.destinations.items():
        sent = sent_fields(destination)
        fields = [
            *(Field(kind="trait", name=trait) for trait in sent.traits),
            *(Field(kind="property", name=each) for each in sent.properties),
        ]
        use = Use(kind="destinations", name=name)
        found = forbidden_fields(use, fields, publishing.policies, personal=personal)
        problems += (f"destinations/{name}.toml: {each.message}" for each in found)
    problems.extend(
        f"audiences/{audience.name}.toml: published to '{destination.name}': {found.message}"
        for audience, destination, found in forbidden_audiences(publishing, personal=personal)
    )


def _check_audiences(
    publishing: Publishing,
    known: Collection[str],
    consent: ConsentRules | None,
    problems: list[str],
) -> None:
    """Note audiences that are published and not there, and purposes that nobody can allow."""
    for name, destination in publishing.destinations.items():
        problems.extend(
            f"destinations/{name}.toml: audiences: no audience '{each}'. {nearest(each, known)}"
            for each in destination.audiences
            if each not in known
        )
        if destination.only and destination.only not in publishing.segments:
            problems.append(
                f"destinations/{name}.toml: only: no segment '{destination.only}'. "
                f"{nearest(destination.only, publishing.segments)}"
            )
    purposes = consent.purposes if consent is not None else {}
    problems.extend(
        f"audiences/{name}.toml: purpose: consent.toml has no purpose '{audience.purpose}'. "
        f"{nearest(audience.purpose, purposes)}"
        for name, audience in publishing.audiences.items()
        if audience.purpose is not None and audience.purpose not in purposes
    )


def _check_purpose(use_case: UseCase, consent: ConsentRules | None, problems: list[str]) -> None:
    purpose = use_case.activation.purpose
    purposes = consent.purposes if consent is not None else {}
    if purpose is not None and purpose not in purposes:
        problems.append(
            f"use_cases/{use_case.name}.toml: activation.purpose: consent.toml has no purpose "
            f"'{purpose}'. {nearest(purpose, purposes)}"
        )


def _check_references(
    use_case: UseCase,
    metrics: Mapping[str, object],
    segments: Mapping[str, object],
    problems: list[str],
) -> None:
    where = f"use_cases/{use_case.name}.toml"
    if use_case.success_metric and use_case.success_metric not in metrics:
        problems.append(
            f"{where}: success_metric: no metric '{use_case.success_metric}'. "
            f"{nearest(use_case.success_metric, metrics)}"
        )
    problems.extend(
        f"{where}: guard_rails.metric: no metric '{rail.metric}'. {nearest(rail.metric, metrics)}"
        for rail in use_case.guard_rails
        if rail.metric and rail.metric not in metrics
    )
    problems.extend(
        f"{where}: report_metrics: no metric '{name}'. {nearest(name, metrics)}"
        for name in use_case.report_metrics
        if name not in metrics
    )
    for key, names in (("segments", use_case.audience), ("minus", use_case.minus)):
        problems.extend(
            f"{where}: audience.{key}: no segment '{name}'. {nearest(name, segments)}"
            for name in names
            if name not in segments
        )


def _check_metrics(
    use_case: UseCase, metrics: Mapping[str, Metric | None], problems: list[str]
) -> None:
    """Note metrics that cannot be what they are used for."""
    where = f"use_cases/{use_case.name}.toml"
    metric = metrics.get(use_case.success_metric)
    if metric is not None and metric.is_over_rows:
        problems.append(
            f"{where}: success_metric: '{metric.name}' looks at all rows together, and a reward is "
            "what one decision brought. Use a metric of events, or a formula of such row by row."
        )
    if metric is not None and metric.opens:
        problems.append(
            f"{where}: success_metric: '{metric.name}' counts '{metric.opens[0]}', and programs "
            "open mail that nobody reads. Use clicks or what you want in the end, or say proxy = "
            "true in the metric."
        )
    rails = (("guard_rails.metric", rail.metric) for rail in use_case.guard_rails)
    reported = (("report_metrics", name) for name in use_case.report_metrics)
    for key, name in (*rails, *reported):
        found = metrics.get(name)
        if found is not None and found.is_over_rows and found.is_per_row:
            problems.append(
                f"{where}: {key}: '{name}' looks at all rows and differs from row to row. Use a "
                "formula row by row, or one of sums and means alone."
            )


def _check_plugins(use_case: UseCase, problems: list[str]) -> None:
    where = f"use_cases/{use_case.name}.toml"
    activation = use_case.activation
    checks: tuple[tuple[str, str, Callable[[str], Iterable[str]]], ...] = (
        ("policy.name", use_case.policy, _check_policy),
        ("groups.champion_policy.name", use_case.champion_policy, _check_policy),
        (
            "activation",
            activation.connector,
            lambda name: connector(name).check_config(activation.config),
        ),
        ("activation.schedule", activation.connector, lambda name: _check_schedule(use_case)),
    )
    for key, name, check in checks:
        try:
            problems.extend(
                f"{where}: {key}: {problem}" for problem in (check(name) if name else ())
            )
        except OpportuneError as error:
            problems.append(f"{where}: {key}: {error.message}")


def _check_direct(use_case: UseCase, problems: list[str]) -> None:
    """Note where messages of ours do not show what the use case chooses."""
    chosen = [
        each
        for each in use_case.dimensions
        if each.meaning == "choice" or each.name == each.meaning == "channel"
    ]
    options = [option for each in use_case.dimensions for option in each.options]
    brought = {name: value for option in options for name, value in option.parameters.items()}
    values = [value for option in options for value in option.parameters.values()]
    found = check_direct(
        use_case.activation.config,
        {each.name: [one.name for one in each.options if not one.nothing] for each in chosen},
        (*(each.name for each in use_case.dimensions), *brought),
        (*(option.name for option in options), *values),
    )
    problems += [f"use_cases/{use_case.name}.toml: activation: {problem}" for problem in found]


def _check_schedule(use_case: UseCase) -> Iterable[str]:
    activation = use_case.activation
    if activation.schedule == "ours":
        return
    # That there is no such connector is said beside.
    with suppress(OpportuneError):
        if not isinstance(connector(activation.connector), Scheduling):
            yield (
                f"{activation.schedule!r} given, but the connector {activation.connector!r} holds "
                'nothing until its time: take "ours", or the connector braze.'
            )
    if not use_case.is_timed:
        yield (
            f"{activation.schedule!r} given, but everything is sent at once: give it a dimension "
            'that means hour or day, or quiet hours, or take "ours".'
        )


def _check_policy(name: str) -> tuple[str, ...]:
    plugins.load(plugins.POLICIES, name)
    return ()


def _check_start(use_case: UseCase, metric: Metric, key: str, problems: list[str]) -> None:
    """Note whether the policy cannot play this space, such as one with too many combinations."""
    kind = cast(PolicyKind, plugins.load(plugins.POLICIES, use_case.policy))
    try:
        kind.start(
            use_case.space,
            features=use_case.feature_count,
            reward=reward_kind(metric),
            settings=use_case.policy_settings,
        )
    except (InvalidInput, Unsupported) as error:
        problems.append(f"use_cases/{use_case.name}.toml: {key}: {error.message}")
