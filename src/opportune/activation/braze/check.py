"""Look at how a use case is set up in Braze before it sends, and say what to do about it.

What would send nothing, or spoil the comparison with our control group, refuses the start; what is
merely likely to be a mistake is advice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from opportune.activation.braze.ask import (
    BrazeForbidden,
    BrazeRefused,
    BrazeUnavailable,
    UnreadableAnswer,
    Workspace,
)
from opportune.activation.braze.model import Campaign, Canvas
from opportune.activation.braze.read import NotInBraze, campaign, canvas, segment
from opportune.activation.braze.segment import BrazeSegment
from opportune.activation.connectors.braze_direct import messages_of
from opportune.activation.connectors.braze_ways import MESSAGES, PLACEHOLDER, way_of
from opportune.activation.model import Request
from opportune.errors import InvalidInput, nearest

__all__ = [
    "Advice",
    "BrazeSetUpWrong",
    "SetUp",
    "check_segment",
    "check_set_up",
    "not_checked",
    "refuse",
]

API_SHELL = "api"
RECEIVED_PATH = "/users/export/ids"
EXPORT_PATHS = ("/users/export/segment",)
# An empty body names no campaign, no segment and nobody: it is refused for that, or for the key.
EMPTY = b"{}"
DECISION = "decision_id"


class BrazeSetUpWrong(InvalidInput):
    """A use case is not started: what Braze has for it would not work, or not be comparable."""

    code = "braze_set_up_wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """What a use case asks of Braze.

    Parameters
    ----------
    config:
        Its activation settings: ``campaign_id``, or ``canvas_id``, or ``messages``.
    dimensions:
        Names of what is chosen, as templates name them; without those that only say when.
    others:
        What else goes along, which a template may read and need not.
    is_held:
        Whether Braze is to hold what waits for its time.
    same_target:
        Names of other use cases that trigger the same campaign or canvas.
    same_audience:
        Names of other use cases that pick people by one of the same segments.
    """

    use_case: str
    config: Mapping[str, str]
    dimensions: tuple[str, ...]
    others: tuple[str, ...] = ()
    is_held: bool = False
    same_target: tuple[str, ...] = ()
    same_audience: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Something to do. ``refuses``: until it is done, the use case is not started."""

    code: str
    refuses: bool
    message: str


def check_set_up(workspace: Workspace, set_up: SetUp) -> list[Advice]:
    """Look at campaign or canvas, its templates and the key; sends nothing, and changes nothing.

    Raises ``BrazeUnavailable`` or ``UnreadableAnswer`` when Braze cannot be asked.
    """
    canvas_id = set_up.config.get("canvas_id")
    campaign_id = set_up.config.get("campaign_id", "")
    is_direct = MESSAGES in set_up.config
    found: list[Advice] = []
    try:
        if canvas_id:
            found += _of_canvas(canvas(workspace, canvas_id), set_up)
        elif is_direct and campaign_id:
            found += _of_shell(campaign(workspace, campaign_id), set_up)
        elif is_direct:
            found.append(_uncounted())
        else:
            found += _of_campaign(campaign(workspace, campaign_id), set_up)
    except NotInBraze as missing:
        found.append(Advice(code="unknown", refuses=True, message=missing.message))
    except BrazeForbidden as forbidden:
        found.append(Advice(code="permission", refuses=True, message=forbidden.message))
    found += _permissions(workspace, _paths(set_up))
    found += _shared(set_up)
    return _each_once(found)


def check_segment(
    workspace: Workspace, wanted: BrazeSegment, others: Iterable[BrazeSegment]
) -> list[Advice]:
    """Look at a segment that is brought in; asks for no export. Raises as `check_set_up`."""
    found: list[Advice] = []
    try:
        segment(workspace, wanted.segment_id)
    except NotInBraze as missing:
        found.append(Advice(code="unknown", refuses=True, message=missing.message))
    except BrazeForbidden as forbidden:
        found.append(Advice(code="permission", refuses=True, message=forbidden.message))
    found += _permissions(workspace, EXPORT_PATHS)
    found += (
        Advice(
            code="segment_twice",
            refuses=False,
            message=f"braze_segments/{other.name}.toml brings the same segment in. Braze makes one "
            "export of a segment at a time: keep one of the two definitions.",
        )
        for other in others
        if other.name != wanted.name
        and (other.segment_id, other.base_url) == (wanted.segment_id, wanted.base_url)
    )
    return _each_once(found)


def refuse(use_case: str, found: Sequence[Advice]) -> None:
    """Raise ``BrazeSetUpWrong`` with all that stands against a start, if anything does."""
    against = [each.message for each in found if each.refuses]
    if against:
        raise BrazeSetUpWrong(
            "\n".join([f"Use case '{use_case}' is not set up in Braze so that it works.", *against])
        )


def _of_campaign(found: Campaign, set_up: SetUp) -> list[Advice]:
    advice = _asleep("campaign", found)
    if found.schedule_type == API_SHELL:
        advice.append(
            Advice(
                code="not_triggered",
                refuses=True,
                message=f"Campaign '{found.name}' is an API campaign: a shell without content, "
                "which cannot be triggered. Make an API-triggered campaign and give its id.",
            )
        )
    if any(each.is_control for each in found.messages.values()):
        advice.append(_control("Campaign", found.name))
    texts = [text for each in found.messages.values() for text in each.texts]
    return advice + _templates("api_trigger_properties", texts, set_up)


def _of_shell(found: Campaign, set_up: SetUp) -> list[Advice]:
    """Of the API campaign that counts messages of ours."""
    advice = _asleep("campaign", found)
    if found.schedule_type != API_SHELL:
        message = (
            f"Campaign '{found.name}' is no API campaign, so it cannot count messages that a call "
            "carries. Make an API campaign and give its id, or leave messages out."
        )
        advice.append(Advice(code="not_a_shell", refuses=True, message=message))
    named = {
        name: str(each.get("message_variation_id"))
        for name, each in messages_of(set_up.config).items()
    }
    return advice + [
        Advice(
            code="unknown_variation",
            refuses=True,
            message=f"Campaign '{found.name}' has no variation '{variation}', which messages."
            f"{name} names: Braze would refuse each call. {nearest(variation, found.messages)}",
        )
        for name, variation in named.items()
        if variation not in found.messages
    ]


def _uncounted() -> Advice:
    message = (
        "The messages have no campaign: Braze counts nothing of them, and keeps no receipt, so a "
        "send that was not answered waits for engagement or for somebody's choice. Make an API "
        "campaign, and give campaign_id and each message's message_variation_id."
    )
    return Advice(code="uncounted", refuses=False, message=message)


def _of_canvas(found: Canvas, set_up: SetUp) -> list[Advice]:
    advice = _asleep("canvas", found)
    messages = [each for step in found.steps for each in step.messages.values()]
    ways = [each.is_control for each in found.variants]
    if any(ways) or any(each.is_control for each in messages):
        advice.append(_control("Canvas", found.name))
    texts = [text for each in messages for text in each.texts]
    return advice + _templates("context", texts, set_up)


def _asleep(what: str, found: Campaign | Canvas) -> list[Advice]:
    """A paused canvas takes a call with 201 and a notice, and sends nothing: that is a failure."""
    state = "archived" if found.archived else "a draft" if found.draft else "paused"
    if found.enabled and not found.archived and not found.draft:
        return []
    todo = {"archived": "Unarchive and resume", "a draft": "Launch", "paused": "Resume"}[state]
    message = (
        f"The {what} '{found.name}' is {state}: Braze would take each call and send nothing. "
        f"{todo} it in the dashboard."
    )
    return [Advice(code="asleep", refuses=True, message=message)]


def _control(what: str, name: str) -> Advice:
    message = (
        f"{what} '{name}' has a control group of Braze's. It would take people out of our "
        "treatment without our knowing, and the lift would be too small. Remove it: Opportune has "
        "its own."
    )
    return Advice(code="control_group", refuses=True, message=message)


def _templates(root: str, texts: Sequence[str], set_up: SetUp) -> list[Advice]:
    read = {name for text in texts for name in PLACEHOLDER.findall(text)}
    silent = sorted(set(set_up.dimensions) - read)
    unknown = sorted(read - {*set_up.dimensions, *set_up.others, DECISION})
    found = [
        (
            "silent_dimension",
            f"No template reads '{name}', so whatever is chosen looks the same. Write "
            f"{{{{{root}.${{{name}}}}}}} where it is to show.",
        )
        for name in silent
    ]
    found += [
        (
            "unknown_placeholder",
            f"A template reads '{name}', which no dimension of the use case is called: it stays "
            "empty, or what stands there as default.",
        )
        for name in unknown
    ]
    if texts and DECISION not in read:
        found.append(
            (
                "no_decision_id",
                f"No link carries the decision. Add ?d={{{{{root}.${{{DECISION}}}}}}} to links, so "
                "that a click is credited where the dispatch is not known.",
            )
        )
    return [Advice(code=code, refuses=False, message=message) for code, message in found]


def _paths(set_up: SetUp) -> list[str]:
    """What the key must be allowed to call."""
    way = way_of(set_up.config)
    paths = [way.path, RECEIVED_PATH]
    if set_up.is_held:
        paths += [f"{way.schedules}/create", f"{way.schedules}/delete"]
    return paths


def _permissions(workspace: Workspace, paths: Sequence[str]) -> list[Advice]:
    found = []
    for path in paths:
        request = Request(method="POST", path=path, body=EMPTY, keys=())
        try:
            workspace.ask(request, repeatable=True)
        except BrazeRefused:
            continue
        except BrazeForbidden as forbidden:
            found.append(Advice(code="permission", refuses=True, message=forbidden.message))
    return found


def _shared(set_up: SetUp) -> list[Advice]:
    found = [
        Advice(
            code="target_twice",
            refuses=True,
            message=f"Use case '{name}' triggers the same campaign or canvas. Braze sends it to a "
            "customer again only when the customer is eligible again, and counts both together: "
            "copy it in the dashboard, and give the copy's id.",
        )
        for name in set_up.same_target
    ]
    found += [
        Advice(
            code="segment_elsewhere",
            refuses=False,
            message=f"Use case '{name}' picks people by the same segment, so each changes what the "
            f"other brings. See how many they share: opportune overlap {set_up.use_case} {name}",
        )
        for name in set_up.same_audience
    ]
    return found


def _each_once(found: Iterable[Advice]) -> list[Advice]:
    """What refuses first; nothing twice, as where an unknown key is refused everywhere."""
    return sorted(dict.fromkeys(found), key=lambda each: not each.refuses)


def not_checked(trouble: BrazeUnavailable | UnreadableAnswer) -> Advice:
    """Say that Braze could not be asked, which stops nothing."""
    return Advice(
        code="not_checked", refuses=False, message=f"Not checked in Braze: {trouble.message}"
    )
