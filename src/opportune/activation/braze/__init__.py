"""A workspace of Braze as we read it and set it up; what sends is in ``connectors``.

Invariants: the key is shown nowhere; nobody is asked faster than the answers' headers allow; what
reads is repeated, and what changes something only when Braze surely did not have it; no field that
says who somebody is, is ever asked for; a template that we did not make is never changed; a profile
that a test send made is noted before it is made, and removed.
"""

from opportune.activation.braze.ask import (
    BrazeForbidden,
    BrazeRefused,
    BrazeUnavailable,
    Patience,
    UnreadableAnswer,
    Workspace,
)
from opportune.activation.braze.bring import (
    BringingRunning,
    Brought,
    bring_segment,
    exports_folder,
)
from opportune.activation.braze.check import (
    Advice,
    BrazeSetUpWrong,
    SetUp,
    check_segment,
    check_set_up,
    not_checked,
    refuse,
)
from opportune.activation.braze.connect import Asking, connected
from opportune.activation.braze.creative import (
    BadCreative,
    Choosable,
    check_draft,
    choosable,
    draft_from,
    preview,
)
from opportune.activation.braze.direct import check_direct, is_direct, show_direct
from opportune.activation.braze.export import (
    BrokenExport,
    Exporting,
    ExportNotReady,
    StorageConnected,
)
from opportune.activation.braze.messages import ShownMessage, contents, show
from opportune.activation.braze.model import (
    Campaign,
    Canvas,
    CanvasStep,
    CanvasVariant,
    Content,
    Listed,
    ListedTemplate,
    Segment,
    SegmentSize,
    Template,
)
from opportune.activation.braze.read import (
    NotInBraze,
    campaign,
    campaigns,
    canvas,
    canvases,
    segment,
    segment_sizes,
    segments,
    template,
    templates,
)
from opportune.activation.braze.segment import (
    BrazeSegment,
    UnknownBrazeSegment,
    named_segment,
    parse_braze_segment,
)
from opportune.activation.braze.send_ids import send_id, send_ids
from opportune.activation.braze.series import (
    MOST_DAYS,
    CountedDay,
    campaign_series,
    canvas_series,
    canvas_summary,
    sends_series,
)
from opportune.activation.braze.trial import (
    STAYS_FOR,
    InvalidTestAddress,
    Trial,
    Tried,
    remove_test_profiles,
    send_trial,
)
from opportune.activation.braze.users import (
    AGREED_FIELDS,
    PersonalField,
    check_fields,
    export_users,
)
from opportune.activation.braze.write import (
    OURS,
    NotOurTemplate,
    TemplateDraft,
    create_template,
    update_template,
)
from opportune.activation.connectors.braze_ways import SEND_ID

__all__ = [
    "STAYS_FOR",
    "InvalidTestAddress",
    "ShownMessage",
    "Trial",
    "Tried",
    "contents",
    "check_direct",
    "is_direct",
    "SEND_ID",
    "remove_test_profiles",
    "send_id",
    "send_ids",
    "sends_series",
    "show_direct",
    "send_trial",
    "show",
    "BadCreative",
    "Choosable",
    "check_draft",
    "choosable",
    "draft_from",
    "preview",
    "MOST_DAYS",
    "CountedDay",
    "campaign_series",
    "canvas_series",
    "canvas_summary",
    "Advice",
    "Asking",
    "BrazeSetUpWrong",
    "SetUp",
    "check_segment",
    "check_set_up",
    "connected",
    "not_checked",
    "refuse",
    "BrazeSegment",
    "BringingRunning",
    "BrokenExport",
    "Brought",
    "ExportNotReady",
    "Exporting",
    "StorageConnected",
    "UnknownBrazeSegment",
    "bring_segment",
    "exports_folder",
    "named_segment",
    "parse_braze_segment",
    "AGREED_FIELDS",
    "OURS",
    "BrazeForbidden",
    "BrazeRefused",
    "BrazeUnavailable",
    "Campaign",
    "Canvas",
    "CanvasStep",
    "CanvasVariant",
    "Content",
    "Listed",
    "ListedTemplate",
    "NotInBraze",
    "NotOurTemplate",
    "Patience",
    "PersonalField",
    "Segment",
    "SegmentSize",
    "Template",
    "TemplateDraft",
    "UnreadableAnswer",
    "Workspace",
    "campaign",
    "campaigns",
    "canvas",
    "canvases",
    "check_fields",
    "create_template",
    "export_users",
    "segment",
    "segment_sizes",
    "segments",
    "template",
    "templates",
    "update_template",
]
