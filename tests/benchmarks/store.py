"""A store that keeps objects in memory, and answers after a delay: for ledger, staging and documents.

`python -m tests.benchmarks.store PORT DELAY_MS` listens until it is ended. It takes what clients of S3 ask for, but
multipart uploads, and does not look at signatures; every object is as new as the answer. `POST /-/objects` takes lines
of `key<tab>content`, without delay; `GET /-/counts` shows how many requests of each kind came since the last look, and
`GET /-/below/PREFIX` objects, `GET /-/cpu` the CPU seconds of the store.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

import msgspec
from tests.benchmarks.sink import CREATE_ONLY, Exchange, serve

from simulators.processes import ChildProcess, free_port
from simulators.project import ROOT

PAGE = 1_000
_RANGE = re.compile(rb"\r\nrange: *bytes=(\d+)-(\d*)", re.IGNORECASE)
_NOT_FOUND = b"<Error><Code>NoSuchKey</Code><Message>There is none.</Message></Error>"


class Objects:
    """Objects as a tree of folders, so that listing a folder does not go through all keys."""

    def __init__(self) -> None:
        self._top: dict[str, object] = {}

    def put(self, key: str, content: bytes) -> None:
        *folders, name = key.split("/")
        node = self._top
        for folder in folders:
            node = node.setdefault(f"{folder}/", {})  # type: ignore[assignment]
        node[name] = content

    def get(self, key: str) -> bytes | None:
        *folders, name = key.split("/")
        found = self._node(folders).get(name)
        return found if isinstance(found, bytes) else None

    def delete(self, key: str) -> None:
        *folders, name = key.split("/")
        self._node(folders).pop(name, None)

    def below(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield the objects whose keys begin with the prefix, in the order of keys."""
        *folders, beginning = prefix.split("/")
        start = prefix[: len(prefix) - len(beginning)]
        node = self._node(folders)
        yield from _walk({name: node[name] for name in node if name.startswith(beginning)}, start)

    def _node(self, folders: Iterable[str]) -> dict[str, object]:
        node = self._top
        for folder in folders:
            node = node.get(f"{folder}/", {})  # type: ignore[assignment]
        return node


def _walk(node: dict[str, object], start: str) -> Iterator[tuple[str, bytes]]:
    for name in sorted(node):
        found = node[name]
        if isinstance(found, bytes):
            yield start + name, found
        else:
            yield from _walk(found, start + name)  # type: ignore[arg-type]


class Store:
    """All buckets; `counts` are the requests by kind."""

    def __init__(self) -> None:
        self._objects = Objects()
        self._counts: Counter[str] = Counter()

    def answer(self, head: bytes, body: bytes) -> Exchange:
        method, target, _ = head.split(b" ", 2)
        path, _, query = target.decode().partition("?")
        if path.startswith("/-/"):
            return Exchange(self._control(path, body), at_once=True)
        key = unquote(path).lstrip("/")
        bucket, _, name = key.partition("/")
        if not name:
            return Exchange(self._list(bucket, parse_qs(query)) if method == b"GET" else _reply(200))
        # A HEAD costs as much as a GET.
        self._counts["GET" if method == b"HEAD" else method.decode()] += 1
        if method == b"PUT":
            if CREATE_ONLY.search(head) and self._objects.get(key) is not None:
                return Exchange(_reply(412))
            self._objects.put(key, bytes(body))
            return Exchange(_reply(200, ETag=_e_tag(body)))
        if method == b"DELETE":
            self._objects.delete(key)
            return Exchange(_reply(204))
        return Exchange(self._get(key, head, whole=method == b"GET"))

    def _get(self, key: str, head: bytes, *, whole: bool) -> bytes:
        content = self._objects.get(key)
        if content is None:
            return _reply(404, _NOT_FOUND if whole else b"")
        headers = {"ETag": _e_tag(content), "Last-Modified": format_datetime(datetime.now(UTC), usegmt=True)}
        if asked := _RANGE.search(head):
            first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            return _reply(206, content[first : last + 1], **headers)
        return _reply(200, content, body_is_sent=whole, **headers)

    def _list(self, bucket: str, query: dict[str, list[str]]) -> bytes:
        self._counts["LIST"] += 1
        prefix = query.get("prefix", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
        limit = int(query.get("max-keys", [PAGE])[0])
        found: list[str] = []
        key = ""
        for path, content in self._objects.below(f"{bucket}/{prefix}"):
            key = path.partition("/")[2]
            if key <= after:
                continue
            if len(found) == limit:
                break
            last = key
            found.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{now}</LastModified>"
                f"<ETag>{escape(_e_tag(content))}</ETag><Size>{len(content)}</Size></Contents>"
            )
        else:
            last = ""
        more = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if last else ""
        return _reply(
            200,
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{str(bool(last)).lower()}'
            f"</IsTruncated>{more}{''.join(found)}</ListBucketResult>".encode(),
        )

    def _control(self, path: str, body: bytes) -> bytes:
        if path == "/-/objects":
            for line in bytes(body).splitlines():
                key, _, content = line.partition(b"\t")
                self._objects.put(key.decode(), content)
            return _reply(204)
        if path.startswith("/-/below/"):
            prefix = unquote(path.removeprefix("/-/below/"))
            return _reply(200, msgspec.msgpack.encode(list(self._objects.below(prefix))))
        if path == "/-/cpu":
            return _reply(200, json.dumps(time.process_time()).encode())
        counts, self._counts = self._counts, Counter()
        return _reply(200, json.dumps(counts).encode())


def _e_tag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _reply(status: int, content: bytes = b"", *, body_is_sent: bool = True, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + (content if body_is_sent else b"")


class RunningStore:
    """A store in a process of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def put_all(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Put objects whose content is one line, without delay."""
        body = b"\n".join(b"%s\t%s" % (key.encode(), content) for key, content in objects)
        self._ask("objects", body)

    def below(self, prefix: str) -> dict[str, bytes]:
        """Return the objects whose keys, with their bucket, begin with the prefix."""
        return dict(msgspec.msgpack.decode(self._ask(f"below/{prefix}"), type=list[tuple[str, bytes]]))

    def counts(self) -> Counter[str]:
        """Return the requests by kind since the last call."""
        return Counter(json.loads(self._ask("counts")))

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that the store has used since its start."""
        return float(json.loads(self._ask("cpu")))

    def _ask(self, what: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(f"{self.url}/-/{what}", body, timeout=600) as answer:  # noqa: S310 - http:// it is
            content: bytes = answer.read()
        return content


@contextmanager
def keeping_store(folder: Path, *, delay_ms: int) -> Iterator[RunningStore]:
    """Run a store; its log is in the folder."""
    port = free_port()
    command = [sys.executable, "-m", __name__, str(port), str(delay_ms)]
    with ChildProcess(command, log_path=folder / f"store-{port}.log", ready=port, working_directory=ROOT):
        yield RunningStore(port)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]) / 1_000, Store().answer)
