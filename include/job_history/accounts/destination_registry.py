"""The kinds of destination that are installed: entry points of the group `job_history.destinations`, built-in ones too.

An entry point's name is the `type` of an account's destination; its object is a `DestinationKind`. Only the settings
are looked at here, because every step of every run reads them; `job_history.destinations.kind` returns the whole kind.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, reduce
from importlib.metadata import EntryPoint, entry_points
from operator import or_
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema

from job_history.accounts.destination_settings import DestinationSettings, kind_name

log = logging.getLogger(__name__)

GROUP = "job_history.destinations"
_FIRST = ("s3", "sumo_logic")
"""Those of the first release come first, in messages and on the set-up page."""

_PARTS = ("title", "connection_types", "open", "check", "place", "open_listing", "open_store", "readable")


@dataclass(frozen=True)
class InstalledKinds:
    """`kinds`: the objects of the entry points that can be used, by name. `broken`: why another cannot, by name."""

    kinds: Mapping[str, Any] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)


def read_kinds(found: Iterable[EntryPoint]) -> InstalledKinds:
    """Load the entry points. One that fails costs the accounts of its own type, and no other."""
    entries = sorted(found, key=lambda entry: (entry.name not in _FIRST, entry.name))
    times_named = Counter(entry.name for entry in entries)
    kinds: dict[str, Any] = {}
    broken: dict[str, str] = {}
    packages: dict[str, str] = {}
    for entry in entries:
        package = _package_of(entry)
        packages[entry.name] = ", ".join(sorted({package, *packages.get(entry.name, package).split(", ")}))
        if times_named[entry.name] > 1:
            broken[entry.name] = "several installed packages provide it. Uninstall all but one of them."
            continue
        try:
            kind = entry.load()
            _check(entry.name, kind)
        except Exception as error:  # noqa: BLE001 - whatever a package of others raises, it is that package's
            broken[entry.name] = f"it cannot be used ({type(error).__name__}: {error}). Upgrade or uninstall it."
        else:
            kinds[entry.name] = kind
    for name, why in broken.items():
        log.error("Destinations of type %r are provided by the package %s: %s", name, packages[name], why)
    return InstalledKinds(kinds, broken, packages)


def _check(name: str, kind: Any) -> None:
    settings = kind.settings
    if not (isinstance(settings, type) and issubclass(settings, DestinationSettings)):
        raise TypeError("its settings are not a class of job_history.accounts.destination_settings.DestinationSettings")
    if kind_name(settings) != name or kind.name != name:
        raise TypeError(f"the kind's name and \"type\" of its settings must be the entry point's name, {name!r}")
    if missing := [part for part in _PARTS if not hasattr(kind, part)]:
        raise TypeError(f"the kind has no {missing[0]!r}: make it with job_history.destinations.kind.DestinationKind")
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
        return handler.generate_schema(Annotated[union, Field(discriminator="type")])
