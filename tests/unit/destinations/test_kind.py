"""A kind of another package that raises anything costs its own accounts, and its package is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as replaced
from tests.unit.samples import account

from job_history.destinations import Delivery, StoredObject
from job_history.destinations.kind import DestinationKind, guarded, kind_named
from job_history.documents.staged import StagedDocument
from job_history.errors import PermanentError, TransientError
from job_history.testing.destinations import document

SECRET = "CANARY-secret"


def raises(error: Exception) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise error

    return function


def calls_of(kind: DestinationKind) -> dict[str, Callable[[], Any]]:
    assert kind.open_listing is not None
    assert kind.open_store is not None
    return {
        "open": lambda: kind.open(account(), None),  # type: ignore[arg-type]
        "check": lambda: kind.check(account()),
        "the check itself": lambda: [*kind.check(account())()],
        "place": lambda: kind.place(account()),
        "open_listing": lambda: kind.open_listing(account()),  # type: ignore[misc]
        "open_store": lambda: kind.open_store(account()),  # type: ignore[misc]
    }


def kind_that(function: Callable[..., Any], *, check: Callable[..., Any] | None = None) -> DestinationKind:
    parts = dict.fromkeys(("open", "place", "open_listing", "open_store"), function)
    return guarded(replace(kind_named("s3"), check=check or function, **parts), "acme-folder 1.0")


@pytest.mark.promise("third-party-errors")
@pytest.mark.parametrize("part", ["open", "check", "the check itself", "place", "open_listing", "open_store"])
def test_any_error_becomes_one_that_names_the_package_and_no_secret(part: str) -> None:
    broken = raises(ValueError(SECRET))
    kind = kind_that(broken, check=(lambda _: broken) if part == "the check itself" else None)
    with pytest.raises(PermanentError, match=r"acme-folder 1\.0") as raised:
        calls_of(kind)[part]()
    assert "ValueError" in str(raised.value)
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__


class Theirs:
    """A destination of another package. `broken` names the method that breaks; `how` is what it does instead."""

    def __init__(self, broken: str = "", how: Callable[..., Any] | None = None) -> None:
        self.seen: list[str] = []
        if how is not None:
            setattr(self, broken, how)

    def description(self) -> dict[str, Any]:
        return {"type": "folder"}

    def deliver(self, documents: Any, on_delivery: Any) -> None:
        for each in documents:
            on_delivery(each, Delivery.DELIVERED)

    def listing(self, _folder: str) -> Any:
        yield StoredObject("a", 1, None)

    def read(self, _key: str) -> bytes | None:
        return None


def opened(broken: str, how: Callable[..., Any]) -> Any:
    kind = guarded(replace(kind_named("s3"), open=lambda *_: Theirs(broken, how)), "acme-folder 1.0")
    return kind.open(account(), None)  # type: ignore[arg-type]


def documents() -> list[StagedDocument]:
    return [replaced(document(number), number=number) for number in range(3)]


def use(broken: str, how: Callable[..., Any]) -> None:
    found = opened(broken, how)
    found.description()
    found.deliver(iter(documents()), lambda *_: None)
    list(found.listing(""))
    found.read("")


def lists_then_raises(_folder: str) -> Any:
    yield StoredObject("a", 1, None)
    raise ValueError(SECRET)


def reports(*outcomes: tuple[int, Any]) -> Callable[..., None]:
    def deliver(given: Any, on_delivery: Any) -> None:
        taken = list(given)
        for number, delivery in outcomes:
            on_delivery(taken[number], delivery)

    return deliver


def reports_twice_and_catches_the_error(given: Any, on_delivery: Any) -> None:
    taken = list(given)
    for each in (taken[0], taken[0], taken[1]):
        with suppress(Exception):
            on_delivery(each, Delivery.DELIVERED)


DONE = Delivery.DELIVERED
BROKEN: dict[str, tuple[str, Callable[..., Any]]] = {
    "deliver raises": ("deliver", raises(ValueError(SECRET))),
    "deliver returns at once": ("deliver", lambda *_: None),
    "deliver reports nothing": ("deliver", lambda given, _: [*given]),
    "deliver leaves one out": ("deliver", reports((0, DONE), (1, DONE))),
    "deliver reports one twice, for another": ("deliver", reports((0, DONE), (0, DONE), (1, DONE))),
    "deliver catches our error": ("deliver", reports_twice_and_catches_the_error),
    "deliver reports a text": ("deliver", reports((0, "delivered"), (1, DONE), (2, DONE))),
    "deliver reports a truth": ("deliver", reports((0, True), (1, DONE), (2, DONE))),
    "description raises": ("description", raises(KeyError(SECRET))),
    "description returns a text": ("description", lambda: "folder"),
    "description has no type": ("description", dict),
    "description is no JSON": ("description", lambda: {"type": "folder", "of": object()}),
    "listing raises": ("listing", raises(OSError(SECRET))),
    "listing raises later": ("listing", lists_then_raises),
    "listing returns texts": ("listing", lambda _: ["a"]),
    "read raises": ("read", raises(RuntimeError(SECRET))),
    "read returns a text": ("read", lambda _: "text"),
}


@pytest.mark.promise("third-party-errors")
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_destination_fails_under_the_name_of_its_package(case: str) -> None:
    with pytest.raises(PermanentError, match=r"acme-folder 1\.0") as raised:
        use(*BROKEN[case])
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_destination_that_keeps_to_the_interface_passes() -> None:
    use("", lambda: None)


@pytest.mark.parametrize("error", [PermanentError("of the ledger"), ValueError("of ours")])
def test_an_error_of_our_own_is_not_blamed_on_the_package(error: Exception) -> None:
    def noted(*_: object) -> None:
        raise error

    def given() -> Any:
        yield documents()[0]
        raise error

    with pytest.raises(type(error), match="of "):
        opened("", lambda: None).deliver(iter(documents()), noted)
    with pytest.raises(type(error), match="of "):
        opened("", lambda: None).deliver(given(), lambda *_: None)


@pytest.mark.promise("third-party-errors")
@pytest.mark.parametrize(("part", "found"), [("open", None), ("open_listing", 1), ("open_store", "x"), ("place", "x")])
def test_a_function_that_returns_something_else_is_a_fault_of_its_package(part: str, found: object) -> None:
    with pytest.raises(PermanentError, match=r"acme-folder 1\.0"):
        calls_of(kind_that(lambda *_: found))[part]()


@pytest.mark.parametrize("found", [None, "wrong", ["wrong"]])
def test_a_check_that_returns_no_findings_is_a_fault_of_its_package(found: object) -> None:
    with pytest.raises(PermanentError, match=r"acme-folder 1\.0"):
        calls_of(kind_that(raises(KeyError()), check=lambda _: lambda: found))["the check itself"]()


@pytest.mark.parametrize("error", [PermanentError("x"), TransientError("x")])
def test_errors_of_the_interface_stay(error: Exception) -> None:
    with pytest.raises(type(error), match=r"^x$"):
        calls_of(kind_that(raises(error)))["open"]()
