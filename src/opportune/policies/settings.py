"""Read the settings of a policy as a use case gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from opportune.errors import nearest
from opportune.policies.errors import BadPolicySetting

__all__ = ["read_settings"]

Settings = TypeVar("Settings", bound=msgspec.Struct)


def read_settings(name: str, kind: type[Settings], given: Mapping[str, object]) -> Settings:
    """The settings ``given`` for the policy ``name`` as a ``kind``, whose defaults fill gaps.

    `BadPolicySetting` says which setting is unknown or has a value of the wrong type.

    >>> class Kind(msgspec.Struct):
    ...     draws: int = 32
    >>> read_settings("mine", Kind, {}).draws, read_settings("mine", Kind, {"draws": 8}).draws
    (32, 8)
    """
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in given:
        if key not in known:
            allowed = nearest(key, known) if known else "It has none."
            raise BadPolicySetting(f"The policy '{name}' has no setting '{key}'. {allowed}")
    try:
        return msgspec.convert(dict(given), kind)
    except msgspec.ValidationError as error:
        raise BadPolicySetting(
            f"A setting of the policy '{name}' cannot be read: {error}."
        ) from error
