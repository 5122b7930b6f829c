"""Kinds of destination from entry points: what is refused, and whose accounts it costs."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any, Literal

import pytest
from pydantic import TypeAdapter, ValidationError, field_validator

from job_history.accounts import destination_registry, variable
from job_history.accounts.destination_registry import GROUP, InstalledKinds, OfAnyInstalledKind, installed, read_kinds
from job_history.accounts.destination_settings import DestinationSettings
from job_history.accounts.variable import read_accounts
from job_history.destinations.kind import DestinationKind
from job_history.model.settings_model import SettingsModel


class FolderSettings(DestinationSettings):
    type: Literal["folder"]
    path: str


class NoDestinationSettings(SettingsModel):
    type: Literal["folder"]


class SettingsOfAnyType(DestinationSettings):
    pass


def kind(**parts: Any) -> DestinationKind:
    function = parts.pop("function", lambda *_: None)
    needed = {"name": "folder", "title": "Folder", "settings": FolderSettings, "connection_types": ("fs",)}
    return DestinationKind(**{**needed, **dict.fromkeys(("open", "check", "place"), function), **parts})


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
        {"KIND": SimpleNamespace(**vars(kind()))},
        {"KIND": DestinationKind},
        {"KIND": kind(title=None)},
        {"KIND": kind(connection_types="fs")},
        {"KIND": kind(connection_types=None)},
        {"KIND": kind(open=None)},
        {"KIND": kind(open_listing="no")},
        {"KIND": kind(readable="no")},
    ],
    ids=[
        "no such object",
        "no kind",
        "another name",
        "settings of another class",
        "settings without a type of its own",
        "only settings",
        "the parts, of another class",
        "the class",
        "no title",
        "one connection type as text",
        "no connection types",
        "nothing that opens",
        "a listing that cannot be called",
        "a capability as text",
    ],
)
def test_a_broken_kind_is_named_with_its_package_and_does_not_raise(module: ModuleType, broken: dict[str, Any]) -> None:
    found = read(module, **broken)
    assert not found.kinds
    assert list(found.broken) == ["folder"]
    assert "acme_folder" in found.packages["folder"]


def test_a_name_that_two_packages_provide_is_refused(module: ModuleType) -> None:
    assert list(read(module, KIND=kind(), times=2).broken) == ["folder"]


@pytest.mark.promise("third-party-errors")
@pytest.mark.parametrize("error", [ImportError, SystemExit, asyncio.CancelledError, RecursionError, GeneratorExit])
def test_whatever_a_package_raises_at_import_is_its_own_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: type[BaseException]
) -> None:
    (tmp_path / "acme_folder.py").write_text(
        f"import asyncio\nraise {error.__module__}.{error.__qualname__}()\n"
        if error.__module__ != "builtins"
        else f"raise {error.__name__}()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_folder", raising=False)
    ours = entry_points(group=GROUP)

    found = read_kinds([*ours, EntryPoint("folder", "acme_folder:KIND", GROUP)])

    assert list(found.broken) == ["folder"]
    assert found.kinds.keys() == installed().kinds.keys()


def test_ctrl_c_during_an_import_ends_the_process(module: ModuleType) -> None:
    def interrupted(_name: str) -> Any:
        raise KeyboardInterrupt

    module.__dict__["__getattr__"] = interrupted
    with pytest.raises(KeyboardInterrupt):
        read_kinds([EntryPoint("folder", "acme_folder:KIND", GROUP)])


@pytest.mark.promise("third-party-errors")
@pytest.mark.parametrize("name", sorted(installed().kinds))
def test_a_package_cannot_take_the_name_of_a_built_in_kind(name: str, caplog: pytest.LogCaptureFixture) -> None:
    built_in = list(entry_points(group=GROUP))

    found = read_kinds([*built_in, EntryPoint(name, "acme_folder:KIND", GROUP)])

    assert found.kinds == installed().kinds
    assert not found.broken
    assert "acme_folder" in caplog.text


@pytest.mark.promise("third-party-errors")
def test_a_validator_that_raises_anything_costs_its_own_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    class BrokenSettings(DestinationSettings):
        type: Literal["folder"]

        @field_validator("conn_id")
        @classmethod
        def _breaks(cls, conn_id: str) -> str:
            raise KeyError(conn_id)

    found = InstalledKinds(
        {**installed().kinds, "folder": kind(settings=BrokenSettings)}, packages={"folder": "acme-folder 1.0"}
    )
    monkeypatch.setattr(destination_registry, "installed", lambda: found)
    settings = TypeAdapter(Annotated[DestinationSettings, OfAnyInstalledKind()])

    with pytest.raises(ValidationError, match=r"acme-folder 1\.0"):
        settings.validate_python({"type": "folder", "conn_id": "c"})
    assert settings.validate_python({"type": "s3", "conn_id": "c"}).type == "s3"


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
