"""The search for canaries is tested before it is believed: what was planted on purpose is found, in every form."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from tests.support.canary import Canaries, Found, Place, files_below
from tests.support.canary_records import planted_event, planted_job

SECRET = 'p/+= {}\n@é\\"'

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "in lower case": lambda secret: secret.lower().encode(),
    "quoted for a URL": lambda secret: quote(secret, safe="").encode(),
    "letter by letter for a URL": lambda secret: b"".join(b"%%%02X" % byte for byte in secret.encode()),
    "in JSON": lambda secret: json.dumps({"event": secret}).encode(),
    "in JSON in JSON": lambda secret: json.dumps(json.dumps([secret])).encode(),
    "in JSON letter by letter": lambda secret: b"".join(b"\\u%04x" % ord(letter) for letter in secret),
    "in hex": lambda secret: secret.encode().hex().encode(),
    "Base64": lambda secret: base64.b64encode(secret.encode()),
    "Base64 after one byte": lambda secret: base64.b64encode(b":" + secret.encode() + b"?"),
    "Base64 after two": lambda secret: base64.b64encode(b"::" + secret.encode() + b"??"),
    "Base64 for URLs": lambda secret: base64.urlsafe_b64encode(b"\xff" + secret.encode() + b"\xff"),
    "cut off": lambda secret: secret[: secret.index("@") + 1].encode(),
}


def _streamed(content: bytes) -> bytes:
    """Without its length at the front, as staged files are."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(content) + stream.flush()


def _parquet(table: pa.Table) -> bytes:
    file = pa.BufferOutputStream()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue().to_pybytes()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "gzip": gzip.compress,
    "gzip that is still being written": lambda content: gzip.compress(content)[:-4],
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd as a stream": _streamed,
    "gzip in zstd": lambda content: zstandard.ZstdCompressor().compress(gzip.compress(content)),
    "a column of Parquet": lambda content: _parquet(pa.table({"key": [content.decode()]})),
    "a list in Parquet": lambda content: _parquet(pa.table({"keys": [[{"key": content.decode()}]]})),
    "bytes in Parquet": lambda content: _parquet(pa.table({"body": [content]})),
    "metadata of Parquet": lambda content: _parquet(pa.table({"key": [1]}).replace_schema_metadata({"of": content})),
}


@pytest.mark.promise("canaries")
@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("written", WRITTEN)
def test_what_is_planted_is_found_in_each_form_and_packing(written: str, packed: str, tmp_path: Path) -> None:
    canaries = Canaries()
    canaries.word("another")
    secret = SECRET.replace("{}", canaries.word("password"))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "task.log").write_bytes(PACKED[packed](b"\n... " + WRITTEN[written](secret) + b" ...\n"))

    assert canaries.search(files_below("log", tmp_path)) == {Found("password", "log", "deep/task.log")}


def test_a_name_of_a_file_is_searched_too() -> None:
    canaries = Canaries()
    name = f"receipts/{canaries.word('title')}.json"

    assert canaries.search([Place("ledger", name, b"")]) == {Found("title", "ledger", name)}


def test_nothing_is_found_where_nothing_is() -> None:
    canaries = Canaries()
    canaries.word("password")
    canaries.card_number("card")

    assert canaries.search([Place("log", "task.log", b"CANARY4111 and no other")]) == set()


def test_card_numbers_have_the_right_check_digit() -> None:
    canaries = Canaries()
    for name in map(str, range(20)):
        digits = [int(digit) for digit in canaries.card_number(name)]
        assert len(digits) == 16
        assert (sum(digits[1::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[::2])) % 10 == 0


def test_planted_records_hold_every_canary_that_is_named_after_them() -> None:
    """Else the search would look for words that are nowhere."""
    canaries = Canaries()
    hour = datetime(2018, 5, 21, tzinfo=UTC)
    job, event = planted_job(canaries, 5234, hour, 1), planted_event(canaries, 5234, hour, 2)

    found = canaries.search([Place("records", "all", json.dumps([job, event]).encode())])
    assert {each.canary for each in found} == set(canaries.planted)
    assert len(canaries.planted) > 80
