"""The parts of the benchmarks that could be wrong without anybody seeing it."""

import asyncio
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.benchmarks.measuring import MeasuredWorkError, measured_command
from tests.benchmarks.plot import Plot
from tests.benchmarks.raw_sockets import REGION, Object, Signer, put_all
from tests.benchmarks.sink import Sink, sink
from tests.benchmarks.table import Table, promise

KEY = "5234/jobs/234/20180521/000/000/000/000/000/000/100/5234-234-100-20180521000000-succeeded.json"


def request_of(store: Sink, put: Object) -> bytes:
    host, now = f"127.0.0.1:{store.port}", datetime.now(UTC)
    return Signer(host=host, bucket="audit", access_key="AKIA", secret_key="secret", now=now).request(put)


def test_the_raw_client_signs_as_botocore_does() -> None:
    put = Object(KEY, b'{"id":100}\n')
    lines = request_of(Sink(4711), put).decode().split("\r\n")
    head = dict(line.split(": ", 1) for line in lines[1:-2])

    request = AWSRequest("PUT", f"http://127.0.0.1:4711/audit/{KEY}", data=put.content)
    for name in ("Content-Type", "If-None-Match", "X-Amz-Content-SHA256"):
        request.headers[name] = head[name]
    request.context["timestamp"] = head["X-Amz-Date"]
    auth = S3SigV4Auth(Credentials("AKIA", "secret"), "s3", REGION)
    request.headers["X-Amz-Date"] = head["X-Amz-Date"]
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)

    assert head["Authorization"].endswith(f"Signature={signature}")
    assert lines[0] == f"PUT /audit/{KEY} HTTP/1.1"


def test_the_raw_client_puts_all_of_it_and_the_store_counts(tmp_path: Path) -> None:
    with sink(tmp_path, delay_ms=1) as store:
        request = request_of(store, Object(KEY, b"x" * 4_000))
        asyncio.run(put_all(repeat(request, 500), port=store.port, connections=16))
        counts = store.counts()

    assert counts == {"PUT": 500, "create_only": 500, "bytes": 2_000_000, "distinct_keys": None}


def test_raw_client_reports_a_refusal(tmp_path: Path) -> None:
    with (
        sink(tmp_path, delay_ms=0, remember=True) as store,
        pytest.raises(RuntimeError, match="412 Precondition Failed"),
    ):
        asyncio.run(put_all(repeat(request_of(store, Object(KEY, b"x")), 2), port=store.port, connections=1))


def test_a_command_is_measured_with_what_it_starts(tmp_path: Path) -> None:
    work = "import time; data = bytearray(60_000_000); data[::4096] = b'x' * len(data[::4096]); time.sleep(0.5)"
    shell = ["bash", "-c", '"$1" -c "$2"; true', "shell", sys.executable, work]

    taken = measured_command(shell, folder=tmp_path)

    assert taken.seconds > 0.5
    assert 0 < taken.cpu_seconds < 5
    assert 60_000_000 < taken.peak_bytes < 160_000_000


def test_a_command_that_fails_has_the_last_word(tmp_path: Path) -> None:
    with pytest.raises(MeasuredWorkError, match=r"ended with 3:\nout of luck"):
        measured_command(["bash", "-c", "echo out of luck >&2; exit 3"], folder=tmp_path)


def test_a_plot_is_an_image_with_each_line_and_its_points() -> None:
    lines = {"ours": {0: 9_000.0, 30: 7_700.0}, "<theirs>": {0: 400.0, 30: 30.0, 100: 9.0}}

    svg = ET.fromstring(Plot("plot.svg", "ms", "objects a second", lines).as_svg())  # noqa: S314 - our own

    name = "{http://www.w3.org/2000/svg}"
    assert [len(line.attrib["points"].split()) for line in svg.iter(f"{name}polyline")] == [2, 3]
    words = [text.text for text in svg.iter(f"{name}text")]
    assert words == [
        "1",
        "10",
        "100",
        "1,000",
        "10,000",
        "0",
        "30",
        "100",
        "ms",
        "objects a second",
        "ours",
        "<theirs>",
    ]


def test_table_shows_whether_a_promise_was_kept() -> None:
    rows = [promise("speed", 9.9, at_least=10), promise("memory", 300, at_most=300)]

    assert Table("Promises", rows).as_markdown() == (
        "**Promises**\n\n"
        "| what is promised | asked       | measured | kept |\n"
        "| ---------------- | ----------- | -------: | ---- |\n"
        "| speed            | at least 10 |      9.9 | NO   |\n"
        "| memory           | at most 300 |      300 | yes  |"
    )
