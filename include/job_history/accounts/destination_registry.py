"""The kinds of destination that are installed: entry points of the group `job_history.destinations`, built-in ones too.

An entry point's name is the `type` of an account's destination; its object is a `DestinationKind`. Only the settings
are looked at here, because every step of every run reads them; `job_history.destinations.kind` returns the whole kind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import cache, reduce
from importlib.metadata import EntryPoint, entry_points
from itertools import groupby
from operator import attrgetter, or_
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from job_history.accounts.destination_settings import DestinationSettings, kind_name

log = logging.getLogger(__name__)

GROUP = "job_history.destinations"
_FIRST = ("s3", "sumo_logic")
"""Those of the first release come first, in messages and on the set-up page."""

_OUR_MODULES = "job_history_airflow."


def _is_callable_or_none(part: object) -> bool:
    return part is None or callable(part)


def _is_flag(part: object) -> bool:
    return isinstance(part, bool)


def _is_text(part: object) -> bool:
    return isinstance(part, str) and bool(part.strip())


def _are_texts(part: object) -> bool:
    return isinstance(part, tuple) and bool(part) and all(map(_is_text, part))


_PARTS: Mapping[str, Callable[[object], bool]] = {
    "title": _is_text,
    "connection_types": _are_texts,
    "open": callable,
    "check": callable,
    "place": callable,
    "open_listing": _is_callable_or_none,
    "open_store": _is_callable_or_none,
    "readable": _is_flag,
    "recognises_repeats": _is_flag,
}
"""What the parts of a `DestinationKind` are: the set-up page and each step use the parts of all kinds together."""


@dataclass(frozen=True)
class InstalledKinds:
    """`kinds`: the objects of the entry points that can be used, by name. `broken`: why another cannot, by name."""

    kinds: Mapping[str, Any] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)


def read_kinds(found: Iterable[EntryPoint]) -> InstalledKinds:
    """Load the entry points. One that fails costs the accounts of its own type, and no other."""
    kinds: dict[str, Any] = {}
    broken: dict[str, str] = {}
    packages: dict[str, str] = {}
    entries = sorted(found, key=lambda entry: (entry.name not in _FIRST, entry.name))
    for name, group in groupby(entries, attrgetter("name")):
        candidates = _candidates(name, list(group))
        packages[name] = ", ".join(sorted({_package_of(entry) for entry in candidates}))
        if len(candidates) > 1:
            broken[name] = "several installed packages provide it. Uninstall all but one of them."
            continue
        try:
            kind = candidates[0].load()
            _check(name, kind)
        except BaseException as error:
            if _is_of_this_process(error):
                raise
            broken[name] = f"it cannot be used ({type(error).__name__}: {error}). Upgrade or uninstall it."
        else:
            kinds[name] = kind
    for name, why in broken.items():
        log.error("Destinations of type %r are provided by the package %s: %s", name, packages[name], why)
    return InstalledKinds(kinds, broken, packages)


def _candidates(name: str, entries: list[EntryPoint]) -> list[EntryPoint]:
    """Return the entry points that may provide a name: the built-in one alone, if there is one."""
    built_in = [entry for entry in entries if entry.value.startswith(_OUR_MODULES)]
    if not built_in:
        return entries
    if others := ", ".join(_package_of(entry) for entry in entries if entry not in built_in):
        log.error("The package %s also provides destinations of type %r, which is built in: not used.", others, name)
    return built_in[:1]


def _is_of_this_process(error: BaseException) -> bool:
    """Whether an exception came from outside: Ctrl-C, or Airflow's limit of the time for reading DAG files."""
    return isinstance(error, KeyboardInterrupt) or type(error).__module__.startswith("airflow.")


def _check(name: str, kind: Any) -> None:
    settings = kind.settings
    if not (isinstance(settings, type) and issubclass(settings, DestinationSettings)):
        raise TypeError("its settings are not a class of job_history.accounts.destination_settings.DestinationSettings")
    if kind_name(settings) != name or kind.name != name:
        raise TypeError(f"the kind's name and \"type\" of its settings must be the entry point's name, {name!r}")
    if not is_dataclass(kind):
        raise TypeError("it is no job_history.destinations.kind.DestinationKind")
    if wrong := [part for part, is_right in _PARTS.items() if not is_right(getattr(kind, part, ...))]:
        raise TypeError(f"its {wrong[0]!r} is not what job_history.destinations.kind.DestinationKind describes")
    # The set-up page makes a form from it; pydantic raises here what it would raise for the union of all.
    TypeAdapter(settings).json_schema()


def _package_of(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


@cache
def installed() -> InstalledKinds:
    """Return the kinds that are installed in this environment, loaded once a process.

    Raises RuntimeError if the metadata of this project's own package is not installed.
    """
    found = read_kinds(entry_points(group=GROUP))
    if len(found.kinds) < 2:
        raise RuntimeError(
            f"Of the entry points of the group {GROUP}, {len(found.kinds)} can be used. Install "
            "job-history-replication again (in a clone: make .venv/.ready), so that its built-in destinations are "
            "found."
        )
    return found


class OfAnyInstalledKind:
    """For pydantic: the settings of whichever kind of destination `type` names."""

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        union = reduce(or_, [kind.settings for kind in installed().kinds.values()])
        schema = handler.generate_schema(Annotated[union, Field(discriminator="type")])
        return core_schema.no_info_wrap_validator_function(_validated, schema)


def _validated(settings: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Validate settings. What a validator of another package raises is an error of this entry, and stops no other."""
    try:
        return validate(settings)
    except (ValidationError, PydanticCustomError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a package of others raises, it is that package's
        name = str(settings["type"] if isinstance(settings, dict) else settings)
        raise PydanticCustomError(
            "destination_settings_broke",
            "the settings of {kind} cannot be checked: the package {package} failed with {error}; upgrade it",
            {"kind": repr(name), "package": installed().packages.get(name, "?"), "error": type(error).__name__},
        ) from None
