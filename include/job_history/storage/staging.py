"""Staged files: what one task hands to the next, as zstd-compressed JSON lines that stream both ways.

The last line counts the others. It shows that a file was cut short, by a kill or a full disk.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import msgspec
import zstandard

from job_history.errors import PermanentError, TransientError
from job_history.storage import Storage

Record = TypeVar("Record", bound=msgspec.Struct)

# Level 1 keeps up with the source; level 3 gains a twentieth of the size for half as much time again.
COMPRESSION_LEVEL = 1
READ_BUFFER_BYTES = 1 << 20
_END = b'{"staged_records":'
Content = TypeVar("Content")


class NotWholeError(TransientError):
    """A staged file was cut short, or is damaged."""


class DamagedFileError(PermanentError):
    """A small file of a run, which is written at once, is not what was written."""


def read_json(storage: Storage, path: str, kind: type[Content]) -> Content | None:
    """Return a small file of a run; None if there is none. Raises DamagedFileError if it cannot be decoded."""
    content = storage.read(path)
    return None if content is None else decoded_json(content, kind, storage.url(path))


def decoded_json(content: bytes, kind: type[Content], where: str) -> Content:
    """Decode a small file of a run; `where` is its URL. Raises DamagedFileError if it is not such a file."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedFileError(
            f"{where} is damaged ({error}). Clear the `plan` of its run and what is downstream."
        ) from error


class StagedWriter:
    """Appends records to a staged file; `records` counts them."""

    def __init__(self, file: zstandard.ZstdCompressionWriter) -> None:
        self._file = file
        self._encoder = msgspec.json.Encoder()
        self.records = 0

    def append(self, record: msgspec.Struct) -> None:
        self._file.write(self._encoder.encode(record) + b"\n")
        self.records += 1


@contextmanager
def staged_writer(storage: Storage, path: str) -> Iterator[StagedWriter]:
    """Open a staged file for writing; it becomes readable only when the block ends without an exception."""
    compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
    with storage.writer(path) as file, compressor.stream_writer(file, closefd=False) as compressed:
        writer = StagedWriter(compressed)
        yield writer
        compressed.write(b"%s%d}\n" % (_END, writer.records))


class WriterIfNeeded:
    """Writes a staged file if there is a record for it; `path` is None as long as there was none."""

    def __init__(self, storage: Storage, path: str, stack: ExitStack) -> None:
        """The file becomes readable when the stack is closed without an exception."""
        self._storage, self._path, self._stack = storage, path, stack
        self._writer: StagedWriter | None = None

    @property
    def path(self) -> str | None:
        return None if self._writer is None else self._path

    def append(self, record: msgspec.Struct) -> None:
        if self._writer is None:
            self._writer = self._stack.enter_context(staged_writer(self._storage, self._path))
        self._writer.append(record)


def staged_records(storage: Storage, path: str, record_type: type[Record]) -> Iterator[Record]:
    """Stream the records of a staged file. Raises NotWholeError if the file was not written to its end."""
    decode = msgspec.json.Decoder(record_type).decode
    records = 0
    with storage.reader(path) as file:
        lines = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file, closefd=False), READ_BUFFER_BYTES)
        try:
            for line in lines:
                if line.startswith(_END):
                    # Reading on to the very end has the checksum looked at as well.
                    if line == b"%s%d}\n" % (_END, records) and not lines.read(1):
                        return
                    break
                record = decode(line)
                records += 1
                yield record
        except (msgspec.DecodeError, UnicodeDecodeError, zstandard.ZstdError):
            # Cut short in the middle of a record, or damaged.
            pass
    raise NotWholeError(
        f"{storage.url(path)} is not whole: {records} records, then no valid count of them. Clear the task that made "
        "it (and those downstream) for this account."
    )
