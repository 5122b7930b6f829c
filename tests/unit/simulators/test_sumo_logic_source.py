"""The local Sumo Logic source keeps to what the service's documents say (the sender's own tests rely on it)."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from tests.support.waiting import wait_until

from simulators.sumo_logic import (
    Fault,
    Kind,
    LocalSource,
    Message,
    Slice,
    SourceProcess,
    cut_answer,
    dropped,
    local_source,
    redirect,
    reset_after_ingest,
    reset_before_ingest,
    slow,
    source_process,
    timed_out,
    warning,
)
from simulators.sumo_logic.command import main
from simulators.sumo_logic.slicing import slices

PACKAGES = Path(__file__).parents[3] / "include"
NOW = 1_795_360_000_000  # 2026-11-22T15:06:40Z
MINUTE, DAY = 60_000, 86_400_000
LINES = b'{"a":1}\n{"b":2}\n{"c":3}\n{"d":4}\n'


@pytest.fixture
def source() -> Iterator[LocalSource]:
    with local_source() as running:
        yield running


def post(source: LocalSource | SourceProcess, body: Any, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(source.url, data=body, headers=named, allow_redirects=False, timeout=10)


def texts(source: LocalSource | SourceProcess) -> list[str]:
    return [message.text for message in source.messages()]


def raw_connection(source: LocalSource) -> socket.socket:
    parts = urlsplit(source.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


@contextmanager
def waiting_post(source: LocalSource, body: bytes) -> Iterator[socket.socket]:
    """Send one more request, and hold its connection once the source has stored it; the answer may be still to come."""
    before = len(source.requests())
    with raw_connection(source) as connection:
        head = f"POST {urlsplit(source.url).path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        assert wait_until(lambda: len(source.requests()) > before)
        yield connection


class TestEndpoint:
    def test_a_right_token_gets_an_empty_200_and_the_whole_message_is_kept(self) -> None:
        with local_source(clock=lambda: NOW / 1000) as source:
            answer = post(source, f'{{"timestamp":{NOW - MINUTE},"job":"ä"}}\n'.encode(), X_Sumo_Client="airflow-test")
            assert (answer.status_code, answer.content) == (200, b"")
            assert source.messages() == [
                Message(
                    text=f'{{"timestamp":{NOW - MINUTE},"job":"ä"}}',
                    size=38,
                    message_time=NOW - MINUTE,
                    receipt_time=NOW,
                    format="t:full,o:1,l:25,p:epoch",
                    source_name="Http Input",
                    source_host="127.0.0.1",
                    source_category="local",
                    fields={},
                    request=1,
                )
            ]
            [request] = source.requests()
            assert (request.number, request.received_at, request.kind, request.method) == (1, NOW, Kind.LOGS, "POST")
            assert (request.token_from, request.status, request.note) == ("url", 200, "")
            assert (request.wire_bytes, request.bytes, request.messages, request.stored) == (39, 39, 1, 1)
            assert request.headers["x-sumo-client"] == "airflow-test"
            assert (request.peer_address, request.in_flight) == ("127.0.0.1", 1)

    def test_the_token_may_stand_in_a_header_and_is_hidden_in_the_records(self, source: LocalSource) -> None:
        answer = requests.post(source.receiver_url, data=LINES, headers={"x-sumo-token": source.token}, timeout=10)
        assert answer.status_code == 200
        [request] = source.requests()
        assert (request.token_from, request.headers["x-sumo-token"], request.stored) == ("header", "***", 4)

    @pytest.mark.parametrize("header", [{}, {"x-sumo-token": "wrong"}, {"x-sumo-token": "wr\xf6ng"}])
    @pytest.mark.parametrize("path", ["", "/wrong", "/wrong%ff"])
    def test_any_other_token_gets_401(self, source: LocalSource, path: str, header: dict[str, str]) -> None:
        answer = requests.post(source.receiver_url + path, data=b"x" * 3_000_000, headers=header, timeout=10)
        assert answer.status_code == 401
        assert answer.json() == {
            "id": "LOCAL-401",
            "errors": [{"code": "unauthorized", "message": "Missing or invalid URL token."}],
        }
        assert source.messages() == []
        assert [request.status for request in source.requests()] == [401]

    def test_a_token_in_the_url_is_the_one_that_counts(self, source: LocalSource) -> None:
        wrong = requests.post(
            source.receiver_url + "/wrong", data=LINES, headers={"x-sumo-token": source.token}, timeout=10
        )
        right = requests.post(source.url, data=LINES, headers={"x-sumo-token": "wrong"}, timeout=10)
        assert (wrong.status_code, right.status_code) == (401, 200)

    def test_a_new_url_makes_the_old_one_invalid(self, source: LocalSource) -> None:
        old_url = source.url
        source.change(token="a-new-token==")
        assert requests.post(old_url, data=LINES, timeout=10).status_code == 401
        assert requests.post(source.receiver_url + "/a-new-token%3D%3D", data=LINES, timeout=10).status_code == 200

    def test_get_pings(self, source: LocalSource) -> None:
        assert requests.get(source.url, timeout=10).status_code == 200
        assert requests.get(source.url[:-1], timeout=10).status_code == 401
        assert [(request.kind, request.status) for request in source.requests()] == [(Kind.PING, 200), (Kind.PING, 401)]

    def test_other_methods_and_paths_are_refused(self, source: LocalSource) -> None:
        assert requests.put(source.url, data=LINES, timeout=10).status_code == 405
        assert requests.delete(source.url, timeout=10).status_code == 405
        assert requests.post(source.address + "/receiver/v1/logs", data=LINES, timeout=10).status_code == 404
        assert source.messages() == []

    def test_query_parameters_are_ignored(self, source: LocalSource) -> None:
        assert requests.post(source.url + "?a=b&token=x", data=b"line", timeout=10).status_code == 200
        assert texts(source) == ["line"]

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/json", "application/x-www-form-urlencoded", "x"]
    )
    def test_any_content_type_is_logs(self, source: LocalSource, content_type: str) -> None:
        assert post(source, b"line", Content_Type=content_type).status_code == 200
        assert texts(source) == ["line"]

    def test_metric_types_are_metrics(self, source: LocalSource) -> None:
        answer = post(source, b"cpu 1 2\nmem 3 4\n", Content_Type="application/vnd.sumologic.graphite; charset=utf-8")
        assert answer.status_code == 200
        assert source.messages() == []
        assert [(request.kind, request.messages) for request in source.requests()] == [(Kind.METRICS, 2)]

    def test_an_empty_body_is_fine(self, source: LocalSource) -> None:
        assert [post(source, body).status_code for body in (b"", b"\n\r\n \n")] == [200, 200]
        assert [(request.messages, request.stored) for request in source.requests()] == [(0, 0), (0, 0)]


class TestEncoding:
    @pytest.mark.parametrize(
        ("encoding", "compress"),
        [
            ("gzip", gzip.compress),
            ("GZIP", lambda body: gzip.compress(body[:10]) + gzip.compress(body[10:])),
            ("deflate", zlib.compress),
            ("zstd", zstandard.compress),
            ("zstd", lambda body: zstandard.compress(body[:10]) + zstandard.compress(body[10:])),
            ("identity", bytes),
        ],
    )
    @pytest.mark.parametrize("chunked", [False, True])
    def test_supported(
        self, source: LocalSource, encoding: str, compress: Callable[[bytes], bytes], chunked: bool
    ) -> None:
        body = compress(LINES)
        sent = iter([body[:7], body[7:]]) if chunked else body
        assert post(source, sent, Content_Encoding=encoding).status_code == 200
        assert texts(source) == ['{"a":1}', '{"b":2}', '{"c":3}', '{"d":4}']
        [request] = source.requests()
        assert (request.wire_bytes, request.bytes) == (len(body), len(LINES))
        assert ("transfer-encoding" in request.headers) is chunked

    @pytest.mark.parametrize(
        ("encoding", "body", "problem"),
        [
            ("gzip", LINES, "Content-Encoding is gzip, the body is something else: Not a gzipped file"),
            ("gzip", gzip.compress(LINES, mtime=0)[:-9], "Content-Encoding is gzip, the body is something else"),
            ("gzip", gzip.compress(LINES, mtime=0) + b"more", "Content-Encoding is gzip, the body is something else"),
            ("deflate", zlib.compress(LINES)[2:-4], "Content-Encoding is deflate, the body is something else"),
            ("deflate", zlib.compress(LINES)[:-5], "Content-Encoding is deflate, the body is cut short"),
            ("zstd", LINES, "Content-Encoding is zstd, the body is something else"),
            ("zstd", zstandard.compress(LINES)[:-5], "Content-Encoding is zstd, the body is cut short"),
            ("br", LINES, "Content-Encoding br is not supported"),
            ("gzip, gzip", LINES, "Content-Encoding gzip, gzip is not supported"),
            ("", b"caf\xe9\n", "The body is not UTF-8: invalid continuation byte at byte 3"),
            ("gzip", gzip.compress(b"\xff", mtime=0), "The body is not UTF-8: invalid start byte at byte 0"),
        ],
    )
    def test_what_cannot_be_read_gets_400(self, source: LocalSource, encoding: str, body: bytes, problem: str) -> None:
        answer = post(source, body, **({"Content_Encoding": encoding} if encoding else {}))
        assert answer.status_code == 400
        [error] = answer.json()["errors"]
        assert error["message"].startswith(problem)
        assert source.messages() == []
        assert [(request.status, request.wire_bytes) for request in source.requests()] == [(400, len(body))]


class TestMessages:
    def test_only_line_breaks_end_a_message(self, source: LocalSource) -> None:
        post(source, "a\u2028\x0b\x85b\nc\r\nd\re\n\n  \nf".encode())
        assert texts(source) == ["a\u2028\x0b\x85b", "c", "d", "e", "f"]

    @pytest.mark.parametrize("limit", [65_536, 262_144])
    @pytest.mark.parametrize("over", [-1, 0, 1])
    def test_only_a_message_above_the_limit_is_sliced(self, limit: int, over: int) -> None:
        text = "x" * (limit + over)
        with local_source(max_message_bytes=limit) as source:
            post(source, f"before\n{text}\n".encode())
            got = [(message.text, message.size, message.slice) for message in source.messages()]
        if over <= 0:
            assert got == [("before", 6, None), (text, len(text), None)]
        else:
            assert got == [
                ("before", 6, None),
                ("x" * limit, limit, Slice(message=1, number=1, of=2)),
                ("x", 1, Slice(message=1, number=2, of=2)),
            ]

    def test_the_limit_counts_bytes_and_no_character_is_cut(self, source: LocalSource) -> None:
        text = "x" + "€" * 30_000
        post(source, text.encode())
        assert [message.size for message in source.messages()] == [65_536, 24_465]
        assert "".join(texts(source)) == text

    def test_a_time_stamp_belongs_to_all_slices(self) -> None:
        with local_source(clock=lambda: NOW / 1000) as source:
            post(source, b'{"timestamp":%d,"x":"%s"}' % (NOW - MINUTE, b"x" * 70_000))
            assert [message.message_time for message in source.messages()] == [NOW - MINUTE] * 2

    @given(st.text(min_size=1, max_size=400), st.integers(16, 64))
    def test_joined_they_are_the_message(self, text: str, limit: int) -> None:
        message = text.encode()
        parts = slices(message, limit)
        assert b"".join(parts) == message
        assert all(0 < len(part) <= limit for part in parts)
        assert "".join(part.decode() for part in parts) == text


def stamped(body: str, **settings: Any) -> list[tuple[int, str]]:
    """Message time (relative to NOW, which is also the time of receipt) and `_format` of each line."""
    with local_source(clock=lambda: NOW / 1000, **settings) as source:
        assert post(source, body.encode()).status_code == 200
        assert all(message.receipt_time == NOW for message in source.messages())
        return [(message.message_time - NOW, message.format) for message in source.messages()]


class TestTimestamps:
    @pytest.mark.parametrize(
        ("text", "offset", "how"),
        [
            (f'{{"timestamp":{NOW - 1},"x":1}}', -1, "t:full,o:1,l:25,p:epoch"),
            (f'{{"x":1,"timestamp" : "{NOW - 1}"}}', -1, "t:full,o:7,l:28,p:epoch"),
            ("no time at all", 0, "t:fail,o:-1,l:0,p:null"),
            (f'{{"x":{NOW - 1}}}', 0, "t:fail,o:-1,l:0,p:null"),
            (f'{{"timestamp":{NOW}0}}', 0, "t:fail,o:-1,l:0,p:null"),
            (f'{{"timestamps":{NOW}}}', 0, "t:fail,o:-1,l:0,p:null"),
            (f'{{"at":"2026-11-22T15:05:40Z","timestamp":{NOW - 1}}}', 0, "t:fail,o:-1,l:0,p:null"),
        ],
    )
    def test_property_timestamp_is_found_if_no_other_time_is_further_left(
        self, text: str, offset: int, how: str
    ) -> None:
        assert stamped(text) == [(offset, how)]

    @pytest.mark.parametrize(
        ("age", "expected"),
        [
            (-2 * DAY, (2 * DAY, "full")),
            (-2 * DAY - 1, (0, "ac2")),
            (30 * DAY, (-30 * DAY, "full")),
            (30 * DAY + 1, (0, "ac2")),
            (366 * DAY, (0, "ac2")),
        ],
    )
    def test_too_old_or_too_new_is_stamped_with_now(self, age: int, expected: tuple[int, str]) -> None:
        [(offset, how)] = stamped(f'{{"timestamp":{NOW - age}}}')
        assert (offset, how) == (expected[0], f"t:{expected[1]},o:1,l:25,p:epoch")

    def test_more_than_a_day_from_the_previous_message_is_stamped_with_now(self) -> None:
        ages = [2 * DAY, 3 * DAY, 4 * DAY + 1, 0, DAY, 2 * DAY + 1]
        got = stamped("".join(f'{{"timestamp":{NOW - age}}}\n' for age in ages))
        assert [(offset, how.partition(",")[0]) for offset, how in got] == [
            (-2 * DAY, "t:full"),  # a fresh source has no previous message
            (-3 * DAY, "t:full"),
            (0, "t:ac1"),
            (0, "t:full"),
            (-DAY, "t:full"),
            (0, "t:ac1"),
        ]

    @pytest.mark.parametrize("locator", [None, r'^\{"timestamp":(\d{13})'])
    def test_custom_format_lifts_the_limit_of_30_days_but_not_that_of_a_year(self, locator: str | None) -> None:
        ages = [0, 300 * DAY, 365 * DAY, 365 * DAY + 1, -2 * DAY - 1]
        body = "".join(f'{{"timestamp":{NOW - age}}}\n' for age in ages)
        got = stamped(body, timestamp_format="epoch", timestamp_locator=locator)
        assert got == [
            (0, "t:def,o:13,l:13,p:epoch"),
            (-300 * DAY, "t:def,o:13,l:13,p:epoch"),
            (-365 * DAY, "t:def,o:13,l:13,p:epoch"),
            (0, "t:ac2,o:13,l:13,p:epoch"),
            (0, "t:ac2,o:13,l:13,p:epoch"),
        ]

    @pytest.mark.parametrize(
        ("settings", "problem"),
        [
            ({"timestamp_locator": r"(\d+)"}, "A timestamp_locator needs a timestamp_format"),
            ({"timestamp_format": "epoch", "timestamp_locator": r"\d+"}, "a single unnamed capture group"),
            ({"timestamp_format": "epoch", "timestamp_locator": r"(?P<t>\d+)"}, "a single unnamed capture group"),
            ({"timestamp_format": "epoch", "timestamp_locator": r"(?<=x)(\d+)"}, "RE2"),
            ({"timestamp_format": "epoch", "timestamp_locator": r"(\d+"}, "is invalid"),
            ({"max_message_bytes": "many"}, r"Expected `int`, got `str` - at `\$.max_message_bytes`"),
            ({"max_message_byte": 70_000}, "unknown field `max_message_byte`"),
        ],
    )
    def test_invalid_settings_are_refused(self, settings: dict[str, Any], problem: str) -> None:
        with pytest.raises(ValueError, match=problem), local_source(**settings):
            pass


class TestMetadata:
    def test_headers_apply_to_every_message(self, source: LocalSource) -> None:
        headers = {"X_Sumo_Name": "n", "X_Sumo_Host": "h", "X_Sumo_Category": "a/b", "X_Sumo_Fields": "k=v, q=x=y,"}
        post(source, b"1\n2", **headers)
        post(source, b"3")
        assert [
            (message.text, message.source_name, message.source_host, message.source_category, message.fields)
            for message in source.messages()
        ] == [
            ("1", "n", "h", "a/b", {"k": "v", "q": "x=y"}),
            ("2", "n", "h", "a/b", {"k": "v", "q": "x=y"}),
            ("3", "Http Input", "127.0.0.1", "local", {}),
        ]

    def test_fields_that_the_account_does_not_know_are_dropped_in_silence(self) -> None:
        with local_source(fields_schema=["env"]) as source:
            assert post(source, b"1", X_Sumo_Fields="env=dev,team=x").status_code == 200
            assert [message.fields for message in source.messages()] == [{"env": "dev"}]

    def test_everything_up_to_the_limits_is_taken(self, source: LocalSource) -> None:
        fields = {f"{number:02}".ljust(255, "k"): "v" * 200 for number in range(30)}
        header = ",".join(f"{key}={value}" for key, value in fields.items())
        names = {"X_Sumo_Name": "n" * 128, "X_Sumo_Host": "h" * 128, "X_Sumo_Category": "c" * 1024}
        assert post(source, b"1", X_Sumo_Fields=header, **names).status_code == 200
        assert [message.fields for message in source.messages()] == [fields]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("X-Sumo-Name", "n" * 129),
            ("X-Sumo-Host", "h" * 129),
            ("X-Sumo-Category", "c" * 1025),
            ("X-Sumo-Fields", ",".join(f"f{number}=v" for number in range(31))),
            ("X-Sumo-Fields", "k" * 256 + "=v"),
            ("X-Sumo-Fields", "k=" + "v" * 201),
            ("X-Sumo-Fields", "no pair"),
            ("X-Sumo-Fields", "=v"),
        ],
    )
    def test_beyond_them_the_answer_is_400(self, source: LocalSource, name: str, value: str) -> None:
        answer = requests.post(source.url, data=b"1", headers={name: value}, timeout=10)
        assert answer.status_code == 400
        assert f"Invalid {name} header" in answer.json()["errors"][0]["message"]
        assert source.messages() == []


class TestFaults:
    def test_a_script_is_followed_and_then_all_is_well(self, source: LocalSource) -> None:
        source.script([429, 503, 408, 200])
        answers = [post(source, b"%d" % number) for number in range(5)]
        assert [answer.status_code for answer in answers] == [429, 503, 408, 200, 200]
        assert answers[0].text == (
            "You have temporarily exceeded your Sumo Logic quota. Please try again at a later time"
        )
        assert texts(source) == ["3", "4"]

    def test_neither_a_ping_nor_a_wrong_token_uses_up_the_script(self, source: LocalSource) -> None:
        source.script([503])
        assert requests.get(source.url, timeout=10).status_code == 200
        assert requests.post(source.url + "x", data=b"1", timeout=10).status_code == 401
        assert post(source, b"1").status_code == 503

    @pytest.mark.parametrize(
        ("fault", "status", "body", "stored"),
        [
            (dropped(), 200, "", 0),
            (timed_out(), 408, None, 2),
            (timed_out(ingest=0.25), 408, None, 1),
            (Fault(status=503, ingest=1), 503, None, 4),
            (Fault(status=413, body="too much"), 413, "too much", 0),
            (Fault(status=204), 204, "", 4),
            (redirect("http://127.0.0.1:9/elsewhere"), 301, "", 0),
        ],
    )
    def test_an_answer_and_what_was_stored(
        self, source: LocalSource, fault: Fault, status: int, body: str | None, stored: int
    ) -> None:
        source.script([fault])
        answer = post(source, LINES)
        assert answer.status_code == status
        assert body is None or answer.text == body
        assert texts(source) == LINES.decode().splitlines()[:stored]
        assert [(request.messages, request.stored, request.status) for request in source.requests()] == [
            (4, stored, status)
        ]

    def test_redirect_has_its_target(self, source: LocalSource) -> None:
        source.script([redirect("http://127.0.0.1:9/elsewhere", status=307)])
        answer = post(source, LINES)
        assert (answer.status_code, answer.headers["Location"]) == (307, "http://127.0.0.1:9/elsewhere")

    def test_a_warning_is_a_200_with_a_document(self, source: LocalSource) -> None:
        source.script([warning("Two messages are too old")])
        answer = post(source, LINES)
        assert (answer.status_code, len(source.messages())) == (200, 4)
        assert answer.json() == {
            "id": "LOCAL-WARNING",
            "code": 200,
            "status": 200,
            "message": "Two messages are too old",
            "errors": [],
        }

    @pytest.mark.parametrize(
        ("fault", "error", "stored"),
        [
            (reset_before_ingest(), ConnectionResetError, 0),
            (reset_after_ingest(), ConnectionResetError, 4),
            (cut_answer(), http.client.IncompleteRead, 4),
        ],
    )
    def test_broken_connections(self, source: LocalSource, fault: Fault, error: type[Exception], stored: int) -> None:
        source.script([fault])
        parts = urlsplit(source.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        with pytest.raises(error):
            connection.request("POST", parts.path, LINES)
            connection.getresponse().read()
        connection.close()
        assert len(source.messages()) == stored
        assert [(request.status, request.stored) for request in source.requests()] == [(None, stored)]
        assert post(source, LINES).status_code == 200

    def test_a_reset_while_the_sender_still_sends(self, source: LocalSource) -> None:
        source.script([reset_before_ingest()])
        with pytest.raises(requests.ConnectionError):
            post(source, b"x" * 20_000_000)
        assert [(request.status, request.wire_bytes) for request in source.requests()] == [(None, 0)]

    def test_a_slow_answer_comes_after_the_messages_were_stored(self, source: LocalSource) -> None:
        source.script([slow(25)])
        with waiting_post(source, LINES) as connection:
            assert len(source.messages()) == 4
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)

    def test_latency_holds_for_every_request(self) -> None:
        with local_source(latency=0.05) as source:
            start = time.monotonic()
            assert [post(source, b"1").status_code, requests.get(source.url, timeout=10).status_code] == [200, 200]
            assert time.monotonic() - start >= 0.1

    @pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "zstd"])
    def test_a_request_that_takes_too_long_gets_408_and_is_stored_in_part(self, encoding: str) -> None:
        sent = LINES + b'{"half":'
        if encoding == "zstd":
            compressor = zstandard.ZstdCompressor().compressobj()
            sent = compressor.compress(sent) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        elif encoding != "identity":
            stream = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
            sent = stream.compress(sent) + stream.flush(zlib.Z_SYNC_FLUSH)
        with local_source(request_timeout=0.2) as source, raw_connection(source) as connection:
            path = urlsplit(source.url).path
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\nContent-Length: 5000\r\n\r\n".encode()  # noqa: E501
                + sent
            )
            assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")
            assert texts(source) == LINES.decode().splitlines()
            assert [(request.status, request.messages, request.stored) for request in source.requests()] == [
                (408, 4, 4)
            ]

    def test_the_time_limit_also_ends_a_slow_answer(self) -> None:
        with local_source(request_timeout=0.2) as source:
            source.script([slow(20)])
            start = time.monotonic()
            with waiting_post(source, LINES) as connection:  # gives up after 10 s
                assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")
            assert time.monotonic() - start > 0.15
            assert len(source.messages()) == 4

    def test_a_sender_that_goes_away_leaves_nothing(self, source: LocalSource) -> None:
        with raw_connection(source) as connection:
            path = urlsplit(source.url).path
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n".encode() + LINES)
        assert wait_until(lambda: len(source.requests()) == 1)
        assert [(request.status, request.stored) for request in source.requests()] == [(None, 0)]
        assert source.messages() == []

    def test_an_idle_connection_is_closed(self) -> None:
        with local_source(idle_timeout=0.1) as source, raw_connection(source) as connection:
            connection.sendall(f"GET {urlsplit(source.url).path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
            assert connection.recv(4096) == b""  # gives up after 10 s

    def test_a_wrong_fault_is_refused_when_it_is_scripted(self, source: LocalSource) -> None:
        with pytest.raises(ValueError, match="ingest"):
            source.script([200, Fault(ingest=2)])
        with pytest.raises(ValueError, match="status"):
            source.script([42])
        assert post(source, b"1").status_code == 200


class TestReports:
    def test_messages_as_json_have_the_services_names(self) -> None:
        with local_source(clock=lambda: NOW / 1000) as source:
            post(source, "ö".encode())
            assert requests.get(source.address + "/messages", timeout=10).json() == [
                {
                    "_raw": "ö",
                    "_size": 2,
                    "_messageTime": NOW,
                    "_receiptTime": NOW,
                    "_format": "t:fail,o:-1,l:0,p:null",
                    "_sourceName": "Http Input",
                    "_sourceHost": "127.0.0.1",
                    "_sourceCategory": "local",
                    "fields": {},
                    "request": 1,
                    "_slice": None,
                }
            ]

    def test_headers_that_are_not_utf8_do_not_spoil_the_reports(self, source: LocalSource) -> None:
        with raw_connection(source) as connection:
            path = urlsplit(source.url).path.encode()
            connection.sendall(
                b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nX-Sumo-Category: caf\xe9\r\nContent-Length: 1\r\n\r\nx"
            )
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert [m["_sourceCategory"] for m in requests.get(source.address + "/messages", timeout=10).json()] == ["caf?"]
        assert requests.get(source.address + "/", timeout=10).status_code == 200

    def test_the_page_shows_what_arrived_and_runs_none_of_it(self, source: LocalSource) -> None:
        attack = "<script>alert(1)</script>"
        post(source, f"{attack}\n{'x' * 70_000}", X_Sumo_Category=attack, X_Sumo_Fields=f"k={attack}")
        source.script([503])
        post(source, b"lost", User_Agent=attack)
        page = requests.get(source.address, timeout=10)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"
        assert "<script" not in page.text
        assert page.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 8  # category and field of 3, text, agent
        assert "slice 1 of 2" in page.text
        assert "scripted: 503" in page.text
        assert source.token not in page.text

    def test_counts_only(self) -> None:
        with local_source(storage="counts") as source:
            assert post(source, gzip.compress(LINES), Content_Encoding="gzip").status_code == 200
            assert source.messages() == []
            assert [(request.messages, request.stored) for request in source.requests()] == [(4, 4)]

    def test_the_oldest_messages_are_forgotten_when_there_are_too_many(self) -> None:
        with local_source(max_stored_bytes=10) as source:
            for body in (b"1234", b"5678", b"90ab"):
                post(source, body)
            assert texts(source) == ["5678", "90ab"]
            assert "the oldest 1 are no longer kept" in requests.get(source.address, timeout=10).text

    def test_connections_and_requests_in_flight_are_counted_separately(self, source: LocalSource) -> None:
        with requests.Session() as session:
            for _ in range(2):
                session.post(source.url, data=b"1", timeout=10)
            source.script([slow(25)])
            with waiting_post(source, b"1"):
                post(source, b"1")
            received = source.requests()
        assert received[0].peer_port == received[1].peer_port
        assert len({request.peer_port for request in received}) == 3
        assert [request.in_flight for request in received] == [1, 1, 1, 2]

    def test_requests_are_listed_in_the_order_of_arrival_although_a_later_one_was_complete_first(
        self, source: LocalSource
    ) -> None:
        path = urlsplit(source.url).path
        with raw_connection(source) as connection:
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n".encode()
            )
            assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")  # it has arrived, its body has not
            post(source, b"second")
            connection.sendall(b"1")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert [(request.number, request.bytes) for request in source.requests()] == [(1, 1), (2, 6)]
        assert texts(source) == ["second", "1"]

    def test_reset_makes_it_fresh(self, source: LocalSource) -> None:
        source.script([200, 503])
        post(source, f'{{"timestamp":{int(time.time() * 1000)}}}')
        source.reset()
        assert (source.messages(), source.requests()) == ([], [])
        two_days_ago = int(time.time() * 1000) - 2 * DAY
        assert post(source, f'{{"timestamp":{two_days_ago}}}').status_code == 200
        assert [(message.message_time, message.request) for message in source.messages()] == [(two_days_ago, 1)]


@pytest.mark.parametrize("running", [local_source, source_process])
def test_in_a_thread_and_as_a_process_it_is_the_same(
    running: Callable[..., AbstractContextManager[LocalSource | SourceProcess]],
) -> None:
    settings = {"token": "secret==", "fields_schema": ["env", "team"], "latency": 0.001}
    with running(max_message_bytes=100_000, **settings) as source:
        assert source.url == f"{source.receiver_url}/secret=="
        assert source.receiver_url == f"{source.address}/receiver/v1/http"
        source.script([429, reset_after_ingest(), Fault(status=408, ingest=0.5)])
        assert post(source, LINES).status_code == 429
        with pytest.raises(requests.ConnectionError):
            post(source, b"unknown")
        assert post(source, LINES).status_code == 408
        assert post(source, "x" * 100_000, X_Sumo_Fields="env=dev,no=no").status_code == 200
        assert [(m.text, m.fields, m.format, m.request) for m in source.messages()] == [
            ("unknown", {}, "t:fail,o:-1,l:0,p:null", 2),
            ('{"a":1}', {}, "t:fail,o:-1,l:0,p:null", 3),
            ('{"b":2}', {}, "t:fail,o:-1,l:0,p:null", 3),
            ("x" * 100_000, {"env": "dev"}, "t:fail,o:-1,l:0,p:null", 4),
        ]
        assert [(r.number, r.kind, r.status, r.messages, r.stored) for r in source.requests()] == [
            (1, Kind.LOGS, 429, 4, 0),
            (2, Kind.LOGS, None, 1, 1),
            (3, Kind.LOGS, 408, 4, 2),
            (4, Kind.LOGS, 200, 1, 1),
        ]
        with pytest.raises(ValueError, match="status"):
            source.script([42])
        with pytest.raises(ValueError, match="no_such_setting"):
            source.change(no_such_setting=1)
        source.change(token="other==", max_message_bytes=50_000)
        assert source.url == f"{source.receiver_url}/other=="
        source.reset()
        assert post(source, "x" * 100_000).status_code == 200
        assert [len(text) for text in texts(source)] == [50_000, 50_000]


class TestCommand:
    def test_a_wrong_setting_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["--max-message-bytes", "lots"])
        assert ended.value.code == 2
        assert "Expected `int`, got `str` - at `$.max_message_bytes`" in capsys.readouterr().err

    def test_process_that_cannot_start_raises(self) -> None:
        with pytest.raises(RuntimeError, match=r"did not start \(exit code 2\)"), source_process(latency=-1):
            pass

    @pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
    def test_it_prints_its_url_and_nothing_else_and_stops_on_a_signal(self, stop: signal.Signals) -> None:
        with subprocess.Popen(
            [sys.executable, "-m", "simulators.sumo_logic", "--token", "t"],
            cwd=PACKAGES,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            url = process.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/receiver/v1/http/t", url)
            assert requests.post(url, data=LINES, timeout=10).status_code == 200
            process.send_signal(stop)
            assert process.wait(60) == 0
            assert process.stdout.read() == ""

    def test_it_does_not_outlive_its_parent_process(self) -> None:
        program = (
            "import time\n"
            "from simulators.sumo_logic import source_process\n"
            "with source_process():\n"
            "    print('ready', flush=True)\n"
            "    time.sleep(60)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program], cwd=PACKAGES, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as starter:
            assert starter.stdout.readline() == "ready\n"
            [running] = psutil.Process(starter.pid).children()
            starter.kill()
        try:
            running.wait(60)
        finally:
            if running.is_running():
                running.kill()

    def test_the_control_endpoints_take_json(self, source: LocalSource) -> None:
        def control(path: str, value: Any) -> requests.Response:
            return requests.post(f"{source.address}/_control/{path}", data=json.dumps(value), timeout=10)

        assert control("script", [429, {"breaks": "after_ingest"}]).json() == {"pending": 2}
        assert control("script", [{"status": 503, "delay": 0.01}]).json() == {"pending": 3}
        assert control("script", [{"state": 503}]).status_code == 400
        assert control("settings", {"latency": "0.01"}).json() == {}
        assert control("settings", {"latency": -1}).status_code == 400
        assert post(source, b"1").status_code == 429
        assert control("reset", None).json() == {}
        assert post(source, b"1").status_code == 200
