"""What the source, or the way to it, does wrong: sorted, told in full, without secrets, and nothing lost by it."""

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
from tests.support.sockets import full_port, tls_server
from tests.support.sumo_logic_sender import DOCUMENTS, Sender, batches_of, bodies, joined

from job_history.destinations import Delivery
from job_history.destinations.sumo_logic import SumoLogicDestination
from job_history.errors import PermanentError, ReplicationError, TransientError
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
TOKEN = "ZaVnC4dhaV1CANARY_token-of-a-source0123456789=="
NOW = 1_795_360_000.0  # 2026-11-22T15:06:40Z
OK = 200

UNKNOWN = "Whether it stored the request, or a part, is not known; the same is sent again, under the same delivery_id."
NOTHING = "It stored nothing of the request."
LATER = "If it persists, look at the network between and at Sumo Logic's status page."
OVER = "Its account is over its rate: look at its ingest volume."
GOES_ON = "The task's next try goes on from this request."
LAST = "this was attempt 3 of 3."
NEW_URL = (
    "Compare the connection's URL with the source's own (Collection > the source > Show URL): generating a new one ends "
    "the old one. A new URL may need some minutes until it is known."
)
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


def fails(destination: SumoLogicDestination) -> tuple[type, str]:
    """Deliver, and return of which kind the error was that ended it, and what it says."""
    with pytest.raises(ReplicationError) as raised:
        deliver(destination, DOCUMENTS)
    fault = raised.value
    assert (fault.__cause__, fault.__context__) == (None, None)
    reported = "".join(traceback.format_exception(fault)) + repr(fault)
    assert TOKEN.rstrip("=") not in reported
    return type(fault), str(fault)


def assert_whole(source: LocalSource, *, repeated: bytes = b"") -> None:
    """All documents are there; nothing is there twice but messages of `repeated`, and these with the same bytes."""
    assert joined(source) == {document.key: document.content() for document in DOCUMENTS}
    expected = Counter(line for batch in BATCHES for line in batch.body.splitlines(keepends=True))
    stored = Counter(message.text.encode() + b"\n" for message in source.messages())
    assert set(stored) == set(expected)
    assert set((stored - expected).elements()) <= set(repeated.splitlines(keepends=True))


class TestOneFaultAndThenWell:
    """The same try of the task goes on: what it asked, how long it waited, what it told."""

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
        source.script([OK, slow(1.0)])
        sender = Sender(tmp_path, source.url, timeout=(5, 0.3))

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
    """The try ends, says why in full, and the next one loses and repeats nothing of what was acknowledged."""

    @pytest.mark.promise("http-retries")
    @pytest.mark.parametrize(
        ("fault", "statuses", "detail"),
        [
            pytest.param(
                timed_out(ingest=0),
                [408] * 3,
                f"answered 408 {json_text(408, 'request:timeout', 'The request was accepted, but timed out processing.')}; "
                f"{LAST} {UNKNOWN} {GOES_ON} {LATER}",
                id="408",
            ),
            pytest.param(
                Fault(status=425, body=""), [425] * 3, f"answered 425; {LAST} {NOTHING} {GOES_ON} {LATER}", id="425"
            ),
            pytest.param(
                429, [429] * 3, f"answered 429 ({THROTTLED_TEXT}); {LAST} {NOTHING} {GOES_ON} {OVER}", id="429"
            ),
            pytest.param(
                Fault(status=429, body="", headers={"Retry-After": "3600"}),
                [429],
                f"answered 429, and asks for 3600 s of silence; this was attempt 1 of 3. {NOTHING} {GOES_ON} {OVER}",
                id="429, back in an hour",
            ),
            *(
                pytest.param(
                    Fault(status=status, body=""),
                    [status] * 3,
                    f"answered {status}; {LAST} {NOTHING if status > 502 else UNKNOWN} {GOES_ON} {LATER}",
                    id=str(status),
                )
                for status in (500, 502, 503, 504)
            ),
            pytest.param(
                reset_before_ingest(),
                [None] * 3,
                f"broke the connection before its answer was whole; {LAST} {UNKNOWN} {GOES_ON} {LATER}",
                id="reset before it was stored",
            ),
        ],
    )
    def test_those_that_may_pass(
        self, source: LocalSource, sender: Sender, fault: Fault | int, statuses: list[int | None], detail: str
    ) -> None:
        source.script([OK, *[fault] * len(statuses)])

        assert fails(sender.destination()) == (
            TransientError,
            f"The Sumo Logic source {source.receiver_url}/*** {detail}",
        )
        assert [request.status for request in source.requests()] == [OK, *statuses]

        reported = deliver(sender.destination(), DOCUMENTS)

        how = REPEATED if UNKNOWN in detail else DELIVERED
        assert [delivery for _, delivery in reported] == [*[Delivery.ALREADY_PRESENT] * 2, how, DELIVERED, DELIVERED]
        assert bodies(source) == [batch.body for batch in BATCHES]

    @pytest.mark.promise("http-retries")
    @pytest.mark.parametrize(
        ("fault", "detail"),
        [
            pytest.param(
                Fault(status=400, body="Invalid X-Sumo-Name header"),
                "answered 400 (Invalid X-Sumo-Name header). Look at the account's source_category, source_name, "
                "source_host and fields.",
                id="400",
            ),
            pytest.param(Fault(status=401, body=""), f"answered 401. {NEW_URL}", id="401"),
            pytest.param(
                Fault(status=403, body=""),
                f"answered 403. A proxy or a rule between may forbid it. {NEW_URL}",
                id="403",
            ),
            pytest.param(
                Fault(status=404, body=f"no {TOKEN} here"), f"answered 404 (no *** here). {NEW_URL}", id="404"
            ),
            pytest.param(
                Fault(status=413, body=f"<p>{TOKEN.replace('=', '%3D')}</p>\n"),
                "answered 413 (<p>***</p>). A proxy or gateway between does not accept 1 MB: raise its limit.",
                id="413",
            ),
            pytest.param(
                Fault(status=418, body="x" * 1_000),
                f"answered 418 ({'x' * 300}...). Nothing of the request was stored; look the status up.",
                id="418",
            ),
        ],
    )
    def test_those_that_do_not(self, source: LocalSource, sender: Sender, fault: Fault, detail: str) -> None:
        source.script([OK, fault])

        assert fails(sender.destination()) == (
            PermanentError,
            f"The Sumo Logic source {source.receiver_url}/*** {detail}",
        )
        assert [request.status for request in source.requests()] == [OK, fault.status]
        assert sender.slept == []

        reported = deliver(sender.destination(), DOCUMENTS)

        assert [delivery for _, delivery in reported] == [*[Delivery.ALREADY_PRESENT] * 2, *[DELIVERED] * 3]
        assert bodies(source) == [batch.body for batch in BATCHES]

    def test_a_doubt_lasts_until_the_request_is_acknowledged(self, source: LocalSource, sender: Sender) -> None:
        """The first try does not know, the second is refused, the third delivers: there may be two, and it says so."""
        source.script([reset_after_ingest()] * 3 + [403])
        assert fails(sender.destination())[0] is TransientError
        assert fails(sender.destination())[0] is PermanentError

        reported = deliver(sender.destination(), DOCUMENTS)

        # The third document is partly in the first request.
        assert [delivery for _, delivery in reported] == [*[REPEATED] * 3, *[DELIVERED] * 2]
        assert bodies(source) == [*[BATCHES[0].body] * 4, BATCHES[1].body, BATCHES[2].body]

    def test_a_url_that_was_replaced(self, source: LocalSource, sender: Sender) -> None:
        source.change(token="another")

        unauthorized = json_text(401, "unauthorized", "Missing or invalid URL token.")
        assert fails(sender.destination()) == (
            PermanentError,
            f"The Sumo Logic source {source.receiver_url}/*** answered 401 {unauthorized}. {NEW_URL}",
        )
        assert [request.status for request in source.requests()] == [401]

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, source: LocalSource, sender: Sender, status: int) -> None:
        with local_source() as elsewhere:
            source.script([redirect(f"{elsewhere.receiver_url}/{TOKEN}", status=status)])

            assert fails(sender.destination()) == (
                PermanentError,
                (
                    f"The Sumo Logic source {source.receiver_url}/*** answered {status}, a redirect to 127.0.0.1. "
                    "A source does not redirect: correct the connection's URL."
                ),
            )
            assert elsewhere.requests() == []
        assert [request.status for request in source.requests()] == [status]


class TestTheWayThere:
    """Nothing answers as a source would; each is told as what it is."""

    def test_nobody_listens(self, tmp_path: Path) -> None:
        port = free_port()

        assert fails(Sender(tmp_path, f"http://127.0.0.1:{port}/receiver/v1/http/{TOKEN}").destination()) == (
            TransientError,
            (
                f"The Sumo Logic source http://127.0.0.1:{port}/receiver/v1/http/*** could not be reached: no connection; "
                f"{LAST} {NOTHING} {GOES_ON} {LATER}"
            ),
        )

    def test_a_name_without_an_address(self, tmp_path: Path) -> None:
        sender = Sender(tmp_path, f"https://collectors.sumologic.invalid/receiver/v1/http/{TOKEN}")

        assert fails(sender.destination()) == (
            TransientError,
            (
                "The Sumo Logic source https://collectors.sumologic.invalid/receiver/v1/http/*** could not be reached: no "
                f"address is known for collectors.sumologic.invalid (DNS); {LAST} {NOTHING} {GOES_ON} {LATER}"
            ),
        )
        assert sender.slept == [1, 2]

    def test_a_certificate_that_nobody_vouches_for(self, tmp_path: Path) -> None:
        with tls_server(self_signed_server(tmp_path)) as port:
            sender = Sender(tmp_path / "staging", f"https://127.0.0.1:{port}/receiver/v1/http/{TOKEN}")

            assert fails(sender.destination()) == (
                PermanentError,
                (
                    f"The Sumo Logic source https://127.0.0.1:{port}/receiver/v1/http/*** could not be trusted: its TLS "
                    "certificate does not verify. Add the certificate authority of your proxy to this machine's "
                    "(REQUESTS_CA_BUNDLE), or correct the URL."
                ),
            )
            assert sender.slept == []

    def test_no_tls_where_it_is_expected(self, source: LocalSource, tmp_path: Path) -> None:
        url = source.url.replace("http://", "https://")

        assert fails(Sender(tmp_path, url).destination()) == (
            TransientError,
            (
                f"The Sumo Logic source {url.removesuffix(TOKEN)}*** could not be reached, or broke off: a fault of TLS; "
                f"{LAST} {UNKNOWN} {GOES_ON} {LATER}"
            ),
        )
        assert source.requests() == []

    def test_a_connection_that_is_never_accepted(self, tmp_path: Path) -> None:
        with full_port() as port:
            sender = Sender(tmp_path, f"http://127.0.0.1:{port}/receiver/v1/http/{TOKEN}", timeout=(0.2, 5))

            assert fails(sender.destination()) == (
                TransientError,
                (
                    f"The Sumo Logic source http://127.0.0.1:{port}/receiver/v1/http/*** could not be reached: no connection "
                    f"in time; {LAST} {NOTHING} {GOES_ON} {LATER}"
                ),
            )

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

        logging.getLogger("urllib3.connectionpool").debug("%s said of %s", "somebody", source.receiver_url)
        assert caplog.messages[-1] == f"somebody said of {source.receiver_url}"
        assert logging.getLogger("urllib3.connectionpool").filters == []
