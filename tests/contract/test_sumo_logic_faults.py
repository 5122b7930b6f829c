"""Faults of the HTTP source, and of the network: sorted, reported with a code, without secrets, and nothing is lost."""

from __future__ import annotations

import gzip
import logging
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.certificates import self_signed_server
from tests.support.deliveries import deliver
from tests.support.sockets import endless_answers, full_port, tls_server
from tests.support.sumo_logic_sender import DOCUMENTS, Sender, batches_of, bodies, joined

from job_history.destinations import Delivery
from job_history.destinations.sumo_logic import HttpSource, SumoLogicDestination, endpoint_of
from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.http.session import http_session
from simulators.processes import free_port
from simulators.sumo_logic import (
    Fault,
    LocalSource,
    cut_answer,
    local_source,
    redirect,
    reset_after_ingest,
    reset_before_ingest,
    slow,
    timed_out,
)

DELIVERED, REPEATED = Delivery.DELIVERED, Delivery.REPEATED
BATCHES = batches_of(DOCUMENTS)
# The first request has the first two documents whole, and the beginning of the third, which is sent again whole.
AFTER_THE_FIRST = [BATCHES[0].body, *(batch.body for batch in batches_of(DOCUMENTS[2:]))]
TOKEN = "ZaVnC4dhaV1CANARY_token-of-a-source0123456789=="
NOW = 1_795_360_000.0  # 2026-11-22T15:06:40Z
OK = 200

UNKNOWN = "Whether it stored the request, or a part, is not known"
NOTHING = "It stored nothing of the request."
THROTTLED_TEXT = "You have temporarily exceeded your Sumo Logic quota. Please try again at a later time"


def json_text(status: int, code: str, message: str) -> str:
    return f'({{"id":"LOCAL-{status}","errors":[{{"code":"{code}","message":"{message}"}}]}})'


@pytest.fixture
def source() -> Iterator[LocalSource]:
    with local_source(token=TOKEN) as running:
        yield running


@pytest.fixture
def sender(source: LocalSource, tmp_path: Path) -> Sender:
    return Sender(tmp_path, source.url)


@pytest.fixture(autouse=True)
def _no_secret_in_any_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """At DEBUG, so with what the HTTP client itself logs of each request."""
    caplog.set_level(logging.DEBUG)
    yield
    # By now the records of the test itself are no longer those that caplog shows first.
    records = caplog.get_records("call")
    assert records
    shown = "".join(f"{record.getMessage()} {record.__dict__!r} {record.exc_text}" for record in records)
    assert TOKEN.rstrip("=") not in shown


def error_of(destination: SumoLogicDestination) -> ReplicationError:
    """Deliver, and return the error that ended it, which shows no secret and carries no other error."""
    with pytest.raises(ReplicationError) as raised:
        deliver(destination, DOCUMENTS)
    error = raised.value
    assert (error.__cause__, error.__context__) == (None, None)
    shown = "".join(traceback.format_exception(error)) + repr(error)
    assert TOKEN.rstrip("=") not in shown
    return error


def facts_of(error: ReplicationError) -> tuple[type, Code | None, str]:
    return type(error), error.code, error.detail


def assert_whole(source: LocalSource, *, repeated: bytes = b"") -> None:
    """All documents are there; nothing is there twice but messages of `repeated`, and these with the same bytes."""
    assert joined(source) == {document.key: document.content() for document in DOCUMENTS}
    expected = Counter(line for batch in BATCHES for line in batch.body.splitlines(keepends=True))
    stored = Counter(message.text.encode() + b"\n" for message in source.messages())
    assert set(stored) == set(expected)
    assert set((stored - expected).elements()) <= set(repeated.splitlines(keepends=True))


class TestOneFaultAndThenWell:
    """The same try of the task goes on: what it asked, how long it waited, what it reported."""

    @pytest.mark.promise("at-least-once")
    @pytest.mark.parametrize(
        ("fault", "status", "waits", "how"),
        [
            pytest.param(Fault(status=425), 425, [1], DELIVERED, id="425"),
            pytest.param(429, 429, [20], DELIVERED, id="429"),
            pytest.param(
                Fault(status=429, headers={"Retry-After": "45"}), 429, [45], DELIVERED, id="429, back in 45 s"
            ),
            pytest.param(Fault(status=429, headers={"Retry-After": "5"}), 429, [20], DELIVERED, id="429, back in 5 s"),
            pytest.param(Fault(status=503, headers={"Retry-After": "0"}), 503, [1], DELIVERED, id="503, back at once"),
            pytest.param(
                Fault(status=503, headers={"Retry-After": "Sun, 22 Nov 2026 15:07:10 GMT"}),
                503,
                [30],
                DELIVERED,
                id="503, back at a time",
            ),
            pytest.param(
                Fault(status=503, headers={"Retry-After": "soon"}), 503, [1], DELIVERED, id="503, back at no time"
            ),
            pytest.param(503, 503, [1], DELIVERED, id="503"),
            pytest.param(504, 504, [1], DELIVERED, id="504"),
            pytest.param(500, 500, [1], REPEATED, id="500"),
            pytest.param(502, 502, [1], REPEATED, id="502"),
            pytest.param(timed_out(ingest=0.5), 408, [1], REPEATED, id="408, half of it stored"),
            pytest.param(reset_before_ingest(), None, [1], REPEATED, id="reset before it was stored"),
            pytest.param(reset_after_ingest(), None, [1], REPEATED, id="reset after it was stored"),
            pytest.param(cut_answer(), None, [1], REPEATED, id="closed within the answer"),
        ],
    )
    def test_it_is_sent_again(
        self,
        *,
        source: LocalSource,
        sender: Sender,
        fault: Fault | int,
        status: int | None,
        waits: list[float],
        how: Delivery,
    ) -> None:
        source.script([OK, fault])

        reported = deliver(sender.destination(clock=lambda: NOW), DOCUMENTS)

        assert [request.status for request in source.requests()] == [OK, status, OK, OK]
        assert sender.slept == waits
        # The third document alone is in the second request.
        assert [delivery for _, delivery in reported] == [DELIVERED, DELIVERED, how, DELIVERED, DELIVERED]
        assert_whole(source, repeated=BATCHES[1].body if how is REPEATED else b"")
        assert bodies(source)[-2:] == [BATCHES[1].body, BATCHES[2].body]

    def test_an_answer_that_does_not_come_in_time(self, source: LocalSource, tmp_path: Path) -> None:
        source.script([OK, slow(25)])
        # It holds for every request: long enough for the others on a busy machine.
        sender = Sender(tmp_path, source.url, timeout=(10, 2))

        reported = deliver(sender.destination(), DOCUMENTS)

        assert [delivery for _, delivery in reported] == [DELIVERED, DELIVERED, REPEATED, DELIVERED, DELIVERED]
        assert sender.slept == [1]
        assert bodies(source) == [BATCHES[number].body for number in (0, 1, 1, 2)]
        assert_whole(source, repeated=BATCHES[1].body)

    def test_waits_grow_and_throttling_waits_longer(self, source: LocalSource, sender: Sender) -> None:
        source.script([503, 503, OK, 429, 429, OK])

        deliver(sender.destination(), DOCUMENTS)

        assert sender.slept == [1, 2, 20, 40]
        assert_whole(source)


class TestFaultsThatStay:
    """The task fails with a code; its next try repeats nothing that was acknowledged."""

    @pytest.mark.promise("http-retries")
    @pytest.mark.parametrize(
        ("fault", "attempts", "code", "detail", "known"),
        [
            pytest.param(
                timed_out(ingest=0),
                3,
                Code.SUMO_LOGIC_BUSY,
                "answered 408 "
                f"{json_text(408, 'request:timeout', 'The request was accepted, but timed out processing.')}",
                UNKNOWN,
                id="408",
            ),
            pytest.param(Fault(status=425, body=""), 3, Code.SUMO_LOGIC_BUSY, "answered 425", NOTHING, id="425"),
            pytest.param(429, 3, Code.SUMO_LOGIC_THROTTLED, f"answered 429 ({THROTTLED_TEXT})", NOTHING, id="429"),
            pytest.param(
                Fault(status=429, body="", headers={"Retry-After": "3600"}),
                1,
                Code.SUMO_LOGIC_THROTTLED,
                "answered 429",
                NOTHING,
                id="429, back in an hour",
            ),
            *(
                pytest.param(
                    Fault(status=status, body=""),
                    3,
                    Code.SUMO_LOGIC_BUSY,
                    f"answered {status}",
                    NOTHING if status > 502 else UNKNOWN,
                    id=str(status),
                )
                for status in (500, 502, 503, 504)
            ),
            pytest.param(
                reset_before_ingest(),
                3,
                Code.SUMO_LOGIC_NO_ANSWER,
                "broke the connection before its answer was whole",
                UNKNOWN,
                id="reset before it was stored",
            ),
        ],
    )
    def test_a_fault_that_may_pass_is_transient(
        self,
        *,
        source: LocalSource,
        sender: Sender,
        fault: Fault | int,
        attempts: int,
        code: Code,
        detail: str,
        known: str,
    ) -> None:
        source.script([OK, *[fault] * attempts])

        error = error_of(sender.destination())

        assert facts_of(error) == (TransientError, code, detail)
        assert str(error).startswith(f"The Sumo Logic source {source.receiver_url}/*** {detail}")
        assert f"this was attempt {attempts} of 3." in str(error)
        assert known in str(error)
        assert str(error).endswith(fix_of(code))
        assert len(source.requests()) == 1 + attempts

        reported = deliver(sender.destination(), DOCUMENTS)

        assert [delivery for _, delivery in reported] == [*[Delivery.ALREADY_PRESENT] * 2, REPEATED, *[DELIVERED] * 2]
        assert bodies(source) == AFTER_THE_FIRST

    @pytest.mark.promise("http-retries")
    @pytest.mark.parametrize(
        ("fault", "code", "detail"),
        [
            pytest.param(
                Fault(status=400, body="Invalid X-Sumo-Name header"),
                Code.SUMO_LOGIC_BAD_REQUEST,
                "answered 400 (Invalid X-Sumo-Name header)",
                id="400",
            ),
            pytest.param(Fault(status=401, body=""), Code.SUMO_LOGIC_UNAUTHORIZED, "answered 401", id="401"),
            pytest.param(Fault(status=403, body=""), Code.SUMO_LOGIC_FORBIDDEN, "answered 403", id="403"),
            pytest.param(
                Fault(status=404, body=f"no {TOKEN} here"),
                Code.SUMO_LOGIC_NOT_FOUND,
                "answered 404 (no *** here)",
                id="404",
            ),
            pytest.param(
                Fault(status=413, body=f"<p>{TOKEN.replace('=', '%3D')}</p>\n"),
                Code.SUMO_LOGIC_TOO_LARGE,
                "answered 413 (<p>***</p>)",
                id="413",
            ),
            pytest.param(
                Fault(status=418, body="x" * 1_000),
                Code.SUMO_LOGIC_REFUSED,
                f"answered 418 ({'x' * 300}...)",
                id="418",
            ),
        ],
    )
    def test_a_refusal_is_permanent(
        self, *, source: LocalSource, sender: Sender, fault: Fault, code: Code, detail: str
    ) -> None:
        source.script([OK, fault])

        error = error_of(sender.destination())

        assert facts_of(error) == (PermanentError, code, detail)
        assert str(error) == f"The Sumo Logic source {source.receiver_url}/*** {detail}. {fix_of(code)}"
        assert [request.status for request in source.requests()] == [OK, fault.status]
        assert sender.slept == []

        reported = deliver(sender.destination(), DOCUMENTS)

        assert [delivery for _, delivery in reported] == [*[Delivery.ALREADY_PRESENT] * 2, REPEATED, *[DELIVERED] * 2]
        assert bodies(source) == AFTER_THE_FIRST

    def test_a_doubt_lasts_until_the_request_is_acknowledged(self, source: LocalSource, sender: Sender) -> None:
        """The first try does not know, the second is refused, the third delivers: there may be two, which is
        reported.
        """
        source.script([reset_after_ingest()] * 3 + [403])
        assert isinstance(error_of(sender.destination()), TransientError)
        assert isinstance(error_of(sender.destination()), PermanentError)

        reported = deliver(sender.destination(), DOCUMENTS)

        # The third document is partly in the first request.
        assert [delivery for _, delivery in reported] == [*[REPEATED] * 3, *[DELIVERED] * 2]
        assert bodies(source) == [*[BATCHES[0].body] * 4, BATCHES[1].body, BATCHES[2].body]

    @pytest.mark.promise("own-acknowledgement")
    def test_a_page_to_log_in_acknowledges_nothing(self, source: LocalSource, sender: Sender) -> None:
        source.script([Fault(status=200, body=" <html><title>Log in</title></html>")])

        error = error_of(sender.destination())

        assert (type(error), error.code) == (PermanentError, Code.SUMO_LOGIC_NOT_ACKNOWLEDGED)
        assert sender.slept == []
        # Whether it was stored is not known: it is sent again, and counts as repeated.
        (_, first), *_ = deliver(sender.destination(), DOCUMENTS)
        assert first is REPEATED

    def test_a_url_that_was_replaced(self, source: LocalSource, sender: Sender) -> None:
        source.change(token="another")

        assert facts_of(error_of(sender.destination())) == (
            PermanentError,
            Code.SUMO_LOGIC_UNAUTHORIZED,
            f"answered 401 {json_text(401, 'unauthorized', 'Missing or invalid URL token.')}",
        )
        assert [request.status for request in source.requests()] == [401]

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, source: LocalSource, sender: Sender, status: int) -> None:
        with local_source() as elsewhere:
            source.script([redirect(f"{elsewhere.receiver_url}/{TOKEN}", status=status)])

            assert facts_of(error_of(sender.destination())) == (
                PermanentError,
                Code.SUMO_LOGIC_REDIRECT,
                f"answered {status}, a redirect to 127.0.0.1",
            )
            assert elsewhere.requests() == []
        assert [request.status for request in source.requests()] == [status]


def url_at(port: int, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}/receiver/v1/http/{TOKEN}"


class TestNetwork:
    """No source answers; each cause has its own code."""

    def test_no_server_listens(self, tmp_path: Path) -> None:
        error = error_of(Sender(tmp_path, url_at(free_port())).destination())

        assert facts_of(error) == (
            TransientError,
            Code.SUMO_LOGIC_UNREACHABLE,
            "could not be reached: no connection",
        )
        assert NOTHING in str(error)

    def test_a_name_without_an_address(self, tmp_path: Path) -> None:
        sender = Sender(tmp_path, f"https://collectors.sumologic.invalid/receiver/v1/http/{TOKEN}")

        assert facts_of(error_of(sender.destination())) == (
            TransientError,
            Code.SUMO_LOGIC_NO_ADDRESS,
            "could not be reached: no address is known for collectors.sumologic.invalid (DNS)",
        )
        assert sender.slept == [1, 2]

    def test_an_untrusted_certificate_is_permanent(self, tmp_path: Path) -> None:
        with tls_server(self_signed_server(tmp_path)) as port:
            sender = Sender(tmp_path / "staging", url_at(port, "https"))

            assert facts_of(error_of(sender.destination())) == (
                PermanentError,
                Code.SUMO_LOGIC_CERTIFICATE,
                "could not be trusted: its TLS certificate does not verify",
            )
            assert sender.slept == []

    def test_a_server_without_tls(self, source: LocalSource, tmp_path: Path) -> None:
        error = error_of(Sender(tmp_path, source.url.replace("http://", "https://")).destination())

        assert facts_of(error) == (
            TransientError,
            Code.SUMO_LOGIC_UNREACHABLE,
            "could not be reached, or broke the connection: an error of TLS",
        )
        assert UNKNOWN in str(error)
        assert source.requests() == []

    def test_a_connection_that_is_never_accepted(self, tmp_path: Path) -> None:
        with full_port() as port:
            error = error_of(Sender(tmp_path, url_at(port), timeout=(0.2, 5)).destination())

        assert facts_of(error) == (
            TransientError,
            Code.SUMO_LOGIC_UNREACHABLE,
            "could not be reached: no connection in time",
        )
        assert NOTHING in str(error)

    def test_a_connection_that_was_idle_for_too_long(self, tmp_path: Path) -> None:
        with local_source(token=TOKEN, idle_timeout=0.2) as source:
            sender = Sender(tmp_path, source.url)
            client = sender.client()
            client.send(gzip.compress(BATCHES[0].body))
            threading.Event().wait(0.5)
            client.send(gzip.compress(BATCHES[0].body))

            assert [(request.method, request.status) for request in source.requests()] == [("POST", OK)] * 2


class TestSecretsInLogs:
    def test_what_the_http_client_logs_is_kept_but_for_the_token(
        self, source: LocalSource, sender: Sender, caplog: pytest.LogCaptureFixture
    ) -> None:
        deliver(sender.destination(), DOCUMENTS[:1])

        parts = source.receiver_url.removesuffix("/receiver/v1/http")
        assert f'{parts} "POST /receiver/v1/http/*** HTTP/1.1" 200 0' in caplog.messages

    def test_others_log_as_before(self, source: LocalSource, sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
        deliver(sender.destination(), DOCUMENTS[:1])

        logging.getLogger("urllib3.connectionpool").debug("%s wrote of %s", "another library", source.receiver_url)
        assert caplog.messages[-1] == f"another library wrote of {source.receiver_url}"
        assert logging.getLogger("urllib3.connectionpool").filters == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_without_end_is_not_read_to_its_end(status: int) -> None:
    with endless_answers(status) as port:
        endpoint = endpoint_of(host=None, password=f"http://127.0.0.1:{port}/receiver/v1/http/abcdefgh==")
        assert HttpSource(endpoint, http_session()).send_once(b"x").status == status
