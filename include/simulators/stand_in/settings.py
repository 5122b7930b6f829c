"""Settings of a stand-in as plain values: of a call, a command line, a JSON document."""

from typing import Any, TypeVar

import msgspec

SettingsT = TypeVar("SettingsT", bound=msgspec.Struct)


def convert_settings(kind: type[SettingsT], values: dict[str, Any], *, base: SettingsT | None = None) -> SettingsT:
    """Check plain values, and add them to `base` or the defaults.

    Raises msgspec.ValidationError, a ValueError, that names the setting.
    """
    known = {} if base is None else msgspec.to_builtins(base)
    return msgspec.convert(known | values, kind, strict=False)
