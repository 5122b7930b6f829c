"""The one retry loop: how long it waits, when it gives up, and what its errors state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_history.destinations import sumo_logic
from job_history.errors import PermanentError, TransientError
from job_history.errors.code import Code
from job_history.http.retry import MAX_RETRY_AFTER_SECONDS, Attempt, Retries, RetryLoop, retry_after_seconds
from job_history.sources import workato

BUSY = Attempt(detail="answered 503", code=Code.WORKATO_BUSY, status=503, retry=True)
THROTTLED = Attempt(detail="answered 429", code=Code.WORKATO_BUSY, status=429, retry=True)
ACCEPTED = Attempt(accepted=True, status=200)
NOW = datetime(2026, 11, 22, 15, 6, 40, tzinfo=UTC).timestamp()


def run(attempts: list[Attempt], retries: Retries) -> tuple[Attempt, list[float]]:
    waits: list[float] = []
    pending = iter(attempts)
    loop = RetryLoop(retries, waits.append, lambda: 0.0)
    return loop.run(lambda: next(pending), "The client"), waits


@pytest.mark.parametrize("retries", [workato.RETRIES, sumo_logic.RETRIES], ids=["workato", "sumo_logic"])
def test_retry_after_zero_waits_as_long_as_the_back_off(retries: Retries) -> None:
    at_once = Attempt(detail="answered 503", status=503, retry=True, retry_after=0.0)

    assert run([at_once, at_once, at_once, ACCEPTED], retries) == (ACCEPTED, [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("retries", "busy", "throttled"),
    [(workato.RETRIES, 31.0, 225.0), (sumo_logic.RETRIES, 123.0, 360.0)],
    ids=["workato", "sumo_logic"],
)
def test_the_waits_of_one_request_sum_to_what_the_docs_state(retries: Retries, busy: float, throttled: float) -> None:
    for attempt, expected in ((BUSY, busy), (THROTTLED, throttled)):
        waits: list[float] = []
        with pytest.raises(TransientError):
            RetryLoop(retries, waits.append, lambda: 0.0).run(lambda attempt=attempt: attempt, "The client")
        assert sum(waits) == expected


@pytest.mark.promise("http-retries")
@given(
    number=st.integers(1, 20),
    jitter=st.floats(0, 1),
    retry_after=st.none() | st.floats(0, 10_000),
    status=st.sampled_from([429, 503, None]),
)
def test_retry_after_never_shortens_a_wait(
    number: int, jitter: float, retry_after: float | None, status: int | None
) -> None:
    plain = Attempt(status=status, retry=True)
    asked = Attempt(status=status, retry=True, retry_after=retry_after)
    wait = workato.RETRIES.wait(number, asked, jitter)

    assert wait >= workato.RETRIES.wait(number, plain, jitter) > 0
    assert wait >= (retry_after or 0.0)


def test_a_pause_of_more_than_five_minutes_ends_the_loop() -> None:
    far = Attempt(detail="answered 503", status=503, retry=True, retry_after=MAX_RETRY_AFTER_SECONDS + 1)

    with pytest.raises(TransientError, match="asks for a pause of 301 s; this was attempt 1 of 6"):
        run([far], workato.RETRIES)
    near = replace(far, retry_after=31.0)
    with pytest.raises(TransientError, match="asks for a pause of 31 s; this was attempt 1 of 2"):
        run([near], Retries(attempts=2, first_throttled=20.0, longest_asked=30.0))


def test_a_refusal_is_not_repeated() -> None:
    refused = Attempt(detail="answered 401", code=Code.WORKATO_UNAUTHORIZED, status=401)

    with pytest.raises(PermanentError) as raised:
        run([refused], workato.RETRIES)
    assert (raised.value.code, raised.value.detail) == (Code.WORKATO_UNAUTHORIZED, "answered 401")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Sun, 22 Nov 2026 15:07:10 GMT", 30.0),
        ("Sun, 22 Nov 2026 15:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after_has_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds
