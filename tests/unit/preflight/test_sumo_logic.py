"""What a preflight of an HTTP source finds, against the local source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import self_signed_server
from tests.support.golden_messages import CheckMessage
from tests.support.sockets import full_port, tls_server
from tests.unit.samples import account

from job_history.destinations.sumo_logic import HttpSource, endpoint_of, join_each
from job_history.errors.catalogue import CATALOGUE
from job_history.errors.code import Code, Severity
from job_history.errors.finding import Finding
from job_history.http.session import http_session
from job_history.preflight.sumo_logic import NOTE, check_sumo_logic, marked_message
from simulators.processes import free_port
from simulators.sumo_logic import Fault, LocalSource, cut_answer, local_source, redirect, reset_before_ingest, slow
from simulators.sumo_logic.faults import warning

NOW = datetime(2026, 11, 22, 15, 6, 40, tzinfo=UTC)
TOKEN = "ZaVnC4dhaV1CANARY_token-of-a-source0123456789=="
ACME = account(destination={"type": "sumo_logic", "conn_id": "acme_sumo"})


@pytest.fixture
def source() -> Iterator[LocalSource]:
    with local_source(token=TOKEN) as running:
        yield running


def check(url: str, *, connect_seconds: float = 20, answer_seconds: float = 20) -> list[Finding]:
    timeout = (connect_seconds, answer_seconds)
    client = HttpSource(endpoint_of(host=None, password=url), http_session(), timeout=timeout)
    found = check_sumo_logic(client, account=ACME, now=NOW)
    assert TOKEN.rstrip("=") not in repr(found)
    return found


def reported(found: list[Finding]) -> list[tuple[Code, str]]:
    assert [(finding.severity, finding.fix) for finding in found] == [
        (CATALOGUE[finding.code].severity, CATALOGUE[finding.code].fix) for finding in found
    ]
    return [(finding.code, finding.cause.partition("/***: ")[2]) for finding in found]


def test_one_message_is_posted_that_is_marked_as_no_job(source: LocalSource) -> None:
    assert check(source.url) == []

    (message,) = source.messages()
    assert json.loads(message.text) == {
        "timestamp": 1795360000000,
        "replication": {"preflight": NOTE, "user_id": 5234, "settings_hash": ACME.settings_hash},
    }


def test_joining_skips_it() -> None:
    assert list(join_each([marked_message(ACME, NOW), marked_message(None, NOW)])) == []


def test_a_finding_names_account_and_source() -> None:
    port = free_port()

    (found,) = check(f"http://127.0.0.1:{port}/receiver/v1/http/{TOKEN}")

    assert found == Finding(
        code=Code.SUMO_LOGIC_UNREACHABLE,
        severity=Severity.TRANSIENT,
        cause=f"Account 5234 Acme: the Sumo Logic source http://127.0.0.1:{port}/receiver/v1/http/***: no connection (could not "  # noqa: E501
        "be reached: no connection).",
        fix="If it persists, look at the network between and at Sumo Logic's status page.",
    )


ANSWERS: dict[str, tuple[Fault | int, Code]] = {
    "400": (Fault(status=400, body="No."), Code.SUMO_LOGIC_BAD_REQUEST),
    "401": (Fault(status=401, body="No."), Code.SUMO_LOGIC_UNAUTHORIZED),
    "403": (Fault(status=403, body=f"Not {TOKEN}."), Code.SUMO_LOGIC_FORBIDDEN),
    "404": (Fault(status=404, body="No."), Code.SUMO_LOGIC_NOT_FOUND),
    "413": (Fault(status=413, body="No."), Code.SUMO_LOGIC_TOO_LARGE),
    "418": (Fault(status=418, body="No."), Code.SUMO_LOGIC_REFUSED),
    "429": (Fault(status=429, body="Slow."), Code.SUMO_LOGIC_THROTTLED),
    "500": (Fault(status=500, body="Oh."), Code.SUMO_LOGIC_BUSY),
    "redirect": (redirect("https://elsewhere.example/x"), Code.SUMO_LOGIC_REDIRECT),
    "reset": (reset_before_ingest(), Code.SUMO_LOGIC_NO_ANSWER),
    "cut": (cut_answer(), Code.SUMO_LOGIC_NO_ANSWER),
    "slow": (slow(25), Code.SUMO_LOGIC_NO_ANSWER),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_named_at_the_first_try(source: LocalSource, name: str, check_message: CheckMessage) -> None:
    fault, code = ANSWERS[name]
    source.script([fault])

    ((found, cause),) = reported(check(source.url, answer_seconds=0.3 if name == "slow" else 20))

    assert found == code
    check_message(cause)


def test_a_200_with_a_text_is_a_warning(source: LocalSource) -> None:
    source.script([warning("The data is too old")])

    ((code, cause),) = reported(found := check(source.url))

    assert (code, found[0].severity) == (Code.SUMO_LOGIC_WARNED, Severity.WARNING)
    assert "The data is too old" in cause


@pytest.mark.parametrize("url", [f"https://collectors.sumologic.invalid/receiver/v1/http/{TOKEN}"])
def test_a_name_without_an_address(url: str) -> None:
    assert reported(check(url)) == [
        (
            Code.SUMO_LOGIC_NO_ADDRESS,
            "its host name is not known (could not be reached: no address is known for collectors.sumologic.invalid "
            "(DNS)).",
        )
    ]


def test_untrusted_certificate(tmp_path: Path) -> None:
    with tls_server(self_signed_server(tmp_path)) as port:
        assert reported(check(f"https://127.0.0.1:{port}/receiver/v1/http/{TOKEN}")) == [
            (
                Code.SUMO_LOGIC_CERTIFICATE,
                "its TLS certificate is not valid here (could not be trusted: its TLS certificate does not verify).",
            )
        ]


def test_a_connection_that_is_never_accepted() -> None:
    with full_port() as port:
        assert reported(check(f"http://127.0.0.1:{port}/receiver/v1/http/{TOKEN}", connect_seconds=0.3)) == [
            (Code.SUMO_LOGIC_UNREACHABLE, "no connection (could not be reached: no connection in time).")
        ]


def test_requests_that_cannot_be_made() -> None:
    class Broken:
        def post(self, *_: Any, **__: Any) -> Any:
            raise ValueError(f"No such adapter for {TOKEN}")

    endpoint = endpoint_of(host=None, password=f"https://collectors.sumologic.com/receiver/v1/http/{TOKEN}")

    found = check_sumo_logic(HttpSource(endpoint, Broken()), account=ACME, now=NOW)  # type: ignore[arg-type]

    assert [code for code, _ in reported(found)] == [Code.SUMO_LOGIC_URL_UNUSABLE]
    assert TOKEN not in repr(found)
