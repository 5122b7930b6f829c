"""Canaries: made-up secrets that are planted where real ones would be, and looked for where none may be.

Each is a word of capitals and digits, so that quoting for URLs, for JSON or for a shell leaves it as it is: what is
planted around it (`/+=" @`) may be changed by that, and what was cut off a secret's end still holds the word.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from psycopg import sql

_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_MAX_ROWS = 500


class Place(NamedTuple):
    """A piece of what is searched: of which kind of place it is, where it was found, and its bytes."""

    kind: str
    name: str
    content: bytes


class Found(NamedTuple):
    """A canary that is where it may not be."""

    canary: str
    kind: str
    name: str


class Canaries:
    """The planted words, by what they stand for. The same name is the same word, in every run."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def word(self, name: str) -> str:
        return self._plant(name, "CANARY" + hashlib.sha256(name.encode()).hexdigest()[:18].upper())

    def email(self, name: str) -> str:
        return f"{self.word(name)}@example.com"

    def card_number(self, name: str) -> str:
        """16 digits, the last of which checks the others (Luhn)."""
        digits = f"4{int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10**14:014}"
        doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[::2])
        return self._plant(name, digits + str(-(doubled + sum(map(int, digits[1::2]))) % 10))

    def named(self, *beginnings: str) -> set[str]:
        return {name for name in self.planted if name.startswith(beginnings)}

    def search(self, places: Iterable[Place]) -> set[Found]:
        """Find the words, in whatever form, in what the places hold, packed or not."""
        forms = [(name, form) for name, word in self.planted.items() for form in forms_of(word)]
        return {
            Found(name, place.kind, place.name)
            for place in places
            for content in (place.name.encode(), *unpacked(place.content))
            for name, form in forms
            if form in content
        }

    def _plant(self, name: str, word: str) -> str:
        self.planted[name] = word
        return word


@cache
def forms_of(word: str) -> tuple[bytes, ...]:
    """The word as it is written in texts: plain, in lower case, escaped letter by letter, in hex, in Base64.

    In Base64 a text looks otherwise after one or two other bytes; of each of the three ways, the part that depends on
    the word alone. The words are such that the alphabet for URLs makes no difference.
    """
    plain = word.encode()
    return (
        plain,
        plain.lower(),
        b"".join(b"\\u%04x" % byte for byte in plain),
        b"".join(b"%%%02X" % byte for byte in plain),
        plain.hex().encode(),
        *(base64.b64encode(b"\0" * before + plain)[_whole(before) : _end(before + len(plain))] for before in range(3)),
    )


def _whole(before: int) -> int:
    """The characters of Base64 that hold something of the bytes before."""
    return -(-before * 8 // 6)


def _end(length: int) -> int:
    """The characters of Base64 that hold nothing of the bytes after it."""
    return length * 8 // 6


def unpacked(content: bytes) -> Iterator[bytes]:
    """The bytes, and what they are when they are decompressed, or read as a table."""
    yield content
    if content.startswith(_GZIP):
        yield from unpacked(_without_gzip(content))
    elif content.startswith(_ZSTD):
        yield from unpacked(zstandard.ZstdDecompressor().decompressobj().decompress(content))
    elif content.startswith(_PARQUET):
        table = pq.read_table(pa.BufferReader(content))
        yield as_bytes(
            [table.to_pylist(), {str(key): str(value) for key, value in (table.schema.metadata or {}).items()}]
        )


def _without_gzip(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except EOFError:  # it is still being written
        return zlib.decompressobj(wbits=31).decompress(content)


def as_bytes(value: Any) -> bytes:
    """What can be read of a value: bytes and text as they are, all else as JSON."""
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_readable)
    return text.encode(errors="surrogatepass")


def _readable(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def files_below(kind: str, folder: Path) -> Iterator[Place]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield Place(kind, str(path.relative_to(folder)), path.read_bytes())


def rows_of(kind: str, connection: psycopg.Connection[Any]) -> Iterator[Place]:
    """Every column of every row of every table of a database."""
    tables = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables"
        " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    for schema, table in tables:
        cursor = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table)))
        columns = [column.name for column in cursor.description or ()]
        while rows := cursor.fetchmany(_MAX_ROWS):
            for index, column in enumerate(columns):
                values = [row[index] for row in rows if row[index] is not None]
                yield Place(kind, f"{table}.{column}", b"\n".join(map(as_bytes, values)))


def versions_in(kind: str, client: Any, bucket: str, prefix: str = "") -> Iterator[Place]:
    """Every version of every object, with its metadata."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for version in (version for page in pages for version in page.get("Versions", [])):
        held = client.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        yield Place(kind, version["Key"], held["Body"].read())
        yield Place(kind, version["Key"], as_bytes(held["Metadata"]))
