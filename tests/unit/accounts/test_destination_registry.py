"""Kinds of destination from entry points: what is refused, and whose accounts it costs."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import pytest

from job_history.accounts import destination_registry, variable
from job_history.accounts.destination_registry import GROUP, InstalledKinds, installed, read_kinds
from job_history.accounts.destination_settings import DestinationSettings
from job_history.accounts.variable import read_accounts
from job_history.model.settings_model import SettingsModel


class FolderSettings(DestinationSettings):
    type: Literal["folder"]
    path: str


class NoDestinationSettings(SettingsModel):
    type: Literal["folder"]


class SettingsOfAnyType(DestinationSettings):
    pass


def kind(name: str = "folder", settings: type = FolderSettings) -> Any:
    parts = ("title", "connection_types", "open", "check", "place", "open_listing", "open_store", "readable")
    return SimpleNamespace(name=name, settings=settings, **dict.fromkeys(parts))


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("acme_folder")
    monkeypatch.setitem(sys.modules, "acme_folder", made)
    return made


def read(module: ModuleType, *, times: int = 1, **objects: Any) -> InstalledKinds:
    module.__dict__.update(objects)
    return read_kinds([EntryPoint("folder", "acme_folder:KIND", GROUP)] * times)


def test_the_built_in_kinds_are_entry_points_too() -> None:
    assert {"s3", "sumo_logic"} <= installed().kinds.keys()
    assert not installed().broken


def test_a_kind_of_another_package_is_found(module: ModuleType) -> None:
    found = read(module, KIND=kind())
    assert list(found.kinds) == ["folder"]
    assert not found.broken


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"KIND": None},
        {"KIND": kind(name="other")},
        {"KIND": kind(settings=NoDestinationSettings)},
        {"KIND": kind(settings=SettingsOfAnyType)},
        {"KIND": SimpleNamespace(name="folder", settings=FolderSettings)},
    ],
    ids=[
        "no such object",
        "no kind",
        "another name",
        "settings of another class",
        "settings without a type of its own",
        "only settings",
    ],
)
def test_a_broken_kind_is_named_with_its_package_and_does_not_raise(module: ModuleType, broken: dict[str, Any]) -> None:
    found = read(module, **broken)
    assert not found.kinds
    assert list(found.broken) == ["folder"]
    assert "acme_folder" in found.packages["folder"]


def test_a_name_that_two_packages_provide_is_refused(module: ModuleType) -> None:
    assert list(read(module, KIND=kind(), times=2).broken) == ["folder"]


def test_a_broken_kind_costs_only_the_accounts_of_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    found = InstalledKinds(installed().kinds, {"folder": "it cannot be used."}, {"folder": "acme-folder 1.0"})
    monkeypatch.setattr(variable, "installed", lambda: found)
    entry = {"user_id": 1, "name": "A", "source": {"type": "sql", "conn_id": "db"}, "events": {"job_history": True}}
    folder = {**entry, "destination": {"type": "folder", "conn_id": "c", "path": "/x"}}
    s3 = {**entry, "user_id": 2, "destination": {"type": "s3", "conn_id": "c"}}
    accounts = read_accounts(json.dumps([folder, s3]))
    assert list(accounts.usable) == [2]
    (problem,) = accounts.problems
    assert problem.places == ["destination"]
    assert "acme-folder 1.0" in problem.message


def test_an_installation_without_its_own_entry_points_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination_registry, "entry_points", lambda **_: ())
    with pytest.raises(RuntimeError, match="job-history-replication"):
        destination_registry.installed.__wrapped__()
