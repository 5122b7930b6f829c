"""A kind of another package that raises anything costs its own accounts, and its package is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.samples import account

from job_history.destinations.kind import DestinationKind, guarded, kind_named
from job_history.errors import PermanentError, TransientError

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


@pytest.mark.parametrize("error", [PermanentError("x"), TransientError("x")])
def test_errors_of_the_interface_stay(error: Exception) -> None:
    with pytest.raises(type(error), match=r"^x$"):
        calls_of(kind_that(raises(error)))["open"]()
