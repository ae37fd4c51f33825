"""What differs between machines, read once from ``OPPORTUNE_*`` variables, typed."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from zoneinfo import available_timezones

from opportune.errors import InvalidInput, nearest

__all__ = ["PREFIX", "SECRET_PREFIX", "InvalidSetting", "Settings", "as_variables", "load"]

PREFIX = "OPPORTUNE_"
# Each destination names the variable of its own secret.
SECRET_PREFIX = f"{PREFIX}SECRET_"
SECRETS = "secrets"
NUMBERS: dict[str, tuple[Callable[[str], float], str]] = {
    "int": (int, "a whole number, 0 or more"),
    "float": (float, "a number, 0 or more"),
}
SHORTEST_KEY = 16
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
CHECKED: dict[str, tuple[Callable[[str], bool], str]] = {
    "time_zone": (
        lambda name: name in available_timezones(),
        "the name of a time zone, such as Europe/Lisbon",
    ),
    "embed_key": (
        lambda key: not key or len(key) >= SHORTEST_KEY,
        "16 characters or more, such as from `openssl rand -hex 32`",
    ),
    "hosts": (
        lambda text: all(HOST.fullmatch(each) for each in text.split()),
        "names of hosts separated by spaces, without scheme and port, such as shop.example.com",
    ),
    "embed_origins": (
        lambda text: all(ORIGIN.fullmatch(each) for each in text.split()),
        "origins separated by spaces, such as https://desk.example.com",
    ),
}
SWITCH = {"true": True, "1": True, "false": False, "0": False, "": False}


class InvalidSetting(InvalidInput):
    """An ``OPPORTUNE_*`` variable is unknown or has a value that cannot be read."""

    code = "invalid_setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field a variable: ``data_folder`` is ``OPPORTUNE_DATA_FOLDER`` and so on.

    Parameters
    ----------
    data_folder:
        Where the log, the lake and the embedded database live.
    database_url:
        PostgreSQL 15 or newer. Empty: a private server is started under the data folder.
    engine:
        What runs the queries over the lake: ``duckdb:`` in the program itself, or
        ``sc://host:port`` a Spark cluster that sees the lake under the same path.
    host, port:
        Where the server listens. Nothing but this machine reaches the default.
    hosts:
        Names under which pages and interface are asked beside ``host`` and those of this machine,
        separated by spaces, such as ``opportune.example.com``. With one of them, or where ``host``
        is not this machine's own, everybody signs in.
    sign_in:
        Everybody signs in on this machine, too; elsewhere they always do.
    max_batch_bytes:
        Largest accepted body of one request, after decompression.
    max_message_bytes:
        Largest accepted single message inside a batch.
    segment_compatible:
        Answer 200 to a write key that is not known and drop what came with it, as Segment does,
        instead of 401.
    time_zone:
        Whose clock counts for a profile whose own time zone is not known, such as
        ``Europe/Lisbon``.
    compute_minutes:
        Computed traits are calculated anew this often, and before each day is decided.
    embed_key:
        Signs the links to the page of a person that a call-centre tool embeds, and is asked for
        when such a link is made. Empty: no links. Never logged.
    embed_origins:
        Origins whose pages may show it in a frame, separated by spaces, such as
        ``https://desk.example.com``.
    braze_api_key:
        REST key for activation through Braze. Never logged.
    braze_settle_s:
        Seconds to wait before asking Braze what became of an unanswered call; above
        `braze_timeout_s`.
    braze_timeout_s:
        Seconds without an answer after which a call to Braze is given up; below `braze_settle_s`.
    destination_settle_s:
        Seconds to wait before a call that a destination did not answer is made again; a tenth of it
        is the first wait after a refusal.
    outbox_days:
        Days after which what was sent or given up is taken out of the outbox; it stays counted.
    expire_after_days:
        Days of silence after which a profile without a user id is removed, by kind of identifier,
        such as ``anonymous_id=90, device_id=30``. A kind that is not named keeps its profiles.
    secrets:
        Not one variable: each ``OPPORTUNE_SECRET_...`` is a secret that a destination may name.
        Never logged.
    """

    data_folder: Path = Path("opportune-data")
    database_url: str = field(default="", repr=False)
    engine: str = field(default="duckdb:", repr=False)
    host: str = "127.0.0.1"
    port: int = 8420
    hosts: str = ""
    sign_in: bool = False
    max_batch_bytes: int = 500_000
    max_message_bytes: int = 32_768
    segment_compatible: bool = False
    time_zone: str = "UTC"
    compute_minutes: int = 60
    embed_key: str = field(default="", repr=False)
    embed_origins: str = ""
    braze_api_key: str = field(default="", repr=False)
    braze_settle_s: float = 300.0
    braze_timeout_s: float = 30.0
    destination_settle_s: float = 30.0
    outbox_days: int = 30
    expire_after_days: str = ""
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def log_folder(self) -> Path:
        """Segment files of the log."""
        return self.data_folder / "log"

    @property
    def lake_folder(self) -> Path:
        """Delta tables."""
        return self.data_folder / "lake"

    @property
    def outgoing_folder(self) -> Path:
        """Files that destinations are given."""
        return self.data_folder / "outgoing"

    def secret(self, variable: str) -> str:
        """Return what ``variable`` (``OPPORTUNE_SECRET_...``) is set to; empty where it is not."""
        return dict(self.secrets).get(variable, "")

    @property
    def database_folder(self) -> Path:
        """The embedded PostgreSQL, in a parent of its own because its lock file sits there."""
        return self.data_folder / "database" / "pg"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from ``environ`` (the process's own by default).

    Raises ``InvalidSetting`` for an unknown ``OPPORTUNE_*`` name, an unreadable value, or two that
    do not go together.
    """
    source = os.environ if environ is None else environ
    kinds = {field.name: field.type for field in fields(Settings) if field.name != SECRETS}
    secrets = {name: text for name, text in source.items() if name.startswith(SECRET_PREFIX)}
    values: dict[str, object] = {SECRETS: tuple(sorted(secrets.items()))}
    for variable, text in source.items():
        if not variable.startswith(PREFIX) or variable in secrets:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in kinds:
            names = [PREFIX + known.upper() for known in kinds]
            raise InvalidSetting(f"Unknown setting {variable}. {nearest(variable, names)}")
        values[name] = _read(variable, text, kind=str(kinds[name]))
        if name in CHECKED:
            fits, allowed = CHECKED[name]
            if not fits(text):
                # A key is not repeated.
                given = "" if name.endswith("_key") else f" is {text!r}, but"
                raise InvalidSetting(f"{variable}{given} must be {allowed}.")
    found = Settings(**values)  # type: ignore[arg-type]  # _read made each value of its field's type
    if found.braze_settle_s <= found.braze_timeout_s:
        raise InvalidSetting(
            f"OPPORTUNE_BRAZE_SETTLE_S is {found.braze_settle_s:g}, but must be more than"
            f" OPPORTUNE_BRAZE_TIMEOUT_S, {found.braze_timeout_s:g}: a call that is still under way"
            " would be taken for one that was never made. Raise the first or lower the second."
        )
    return found


def as_variables(settings: Settings) -> dict[str, str]:
    """Write ``settings`` as the variables that `load` reads them from, for a child process."""
    variables = {
        PREFIX + field.name.upper(): str(getattr(settings, field.name))
        for field in fields(Settings)
        if field.name != SECRETS
    }
    return {**variables, **dict(settings.secrets)}


def _read(variable: str, text: str, *, kind: str) -> object:
    if kind == "str":
        return text
    if kind == "Path":
        return Path(text)
    if kind == "bool":
        if text.lower() not in SWITCH:
            raise InvalidSetting(f"{variable} is {text!r}, but must be true or false.")
        return SWITCH[text.lower()]
    reader, allowed = NUMBERS[kind]
    try:
        number = reader(text)
    except ValueError as cause:
        raise InvalidSetting(f"{variable} is {text!r}, but must be {allowed}.") from cause
    if not 0 <= number < math.inf:
        raise InvalidSetting(f"{variable} is {text!r}, but must be {allowed}.")
    return number
