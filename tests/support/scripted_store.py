"""A store of Azure or Google of which a test writes each answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WRITTEN = (201, {"ETag": '"0x1"'}, b"")
MISSING = (404, {}, b"")
Answer = tuple[int, dict[str, str], bytes]


def refusal(status: int, code: str) -> Answer:
    return status, {}, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>m</Message></Error>".encode()


def existing(content: bytes) -> Answer:
    return 200, {"ETag": '"0x1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT", "x-ms-version": "1"}, content


@dataclass
class ScriptedStore:
    """`answers`: by method. `requests` and `paths`: of those that came."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def scripted_store() -> Iterator[ScriptedStore]:
    """Serve on a free port of 127.0.0.1 for as long as the block lasts."""
    store = ScriptedStore()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            store.requests.append(self.command)
            store.paths.append(self.path)
            status, headers, body = store.answers[self.command]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_PUT = do_GET = do_HEAD = answer  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        store.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield store
        server.shutdown()
