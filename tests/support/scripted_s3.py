"""An S3 endpoint that misbehaves by a script: each request takes the next answer of the script, if one is left.

Without an answer for it, a request is served from memory, as S3 would: PUT (also with `If-None-Match: *`), HEAD, GET,
and a listing.
"""

import asyncio
import base64
import hashlib
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from xml.sax.saxutils import escape

from aiohttp import web

START_SECONDS = 10
LONG_AGO = datetime(2018, 5, 21, tzinfo=UTC)


class Request(NamedTuple):
    """What was asked, as far as a test looks at it. `key` is the path after the bucket."""

    method: str
    key: str


class Seen(NamedTuple):
    """A request as it arrived; `headers` in lower case."""

    method: str
    host: str
    path: str
    headers: dict[str, str]

    @property
    def like(self) -> tuple[str, bool, frozenset[str], str]:
        """What preflight and delivery must have in common: host, path style, names of headers, user agent."""
        ours = {"if-none-match", "content-length", "content-type", "content-md5", "x-amz-meta-sha256"}
        names = frozenset(name for name in self.headers if name not in ours and not name.startswith("amz-sdk-"))
        return self.host, self.path.startswith("/acme-audit/"), names, self.headers.get("user-agent", "")


@dataclass
class Demands:
    """What the store refuses requests for. `sessions`: valid tokens, and when (`time.monotonic`) each ends."""

    checksum: bool = False
    virtual_host: bool = False
    region: str | None = None
    sessions: dict[str, float] | None = None

    def refusal(self, request: web.Request, bucket: str) -> "Refusal | None":
        scope = request.headers.get("Authorization", "").partition("Credential=")[2].split("/")
        token = request.headers.get("x-amz-security-token", "")
        if self.sessions is not None and self.sessions.get(token, 0.0) < time.monotonic():
            return Refusal(400, "ExpiredToken", "The provided token has expired.")
        if self.virtual_host and not request.host.startswith(f"{bucket}."):
            return Refusal(301, "PermanentRedirect", "The bucket must be addressed using the specified endpoint.")
        if self.region is not None and scope[2:3] != [self.region]:
            return Refusal(
                301, "PermanentRedirect", "Use the specified endpoint.", headers={"x-amz-bucket-region": self.region}
            )
        checksums = {"content-md5", "x-amz-checksum-sha256"} & {name.lower() for name in request.headers}
        if self.checksum and request.method == "PUT" and not checksums:
            message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"  # noqa: E501
            return Refusal(400, "InvalidRequest", message)
        return None


class Answer(Protocol):
    """What happens to a request instead of being served."""

    async def give(self, endpoint: "ScriptedS3", request: web.Request, body: bytes) -> web.StreamResponse: ...


@dataclass(frozen=True)
class Refusal:
    """An error in S3's XML. `echoes`: elements that repeat what the client had sent."""

    status: int
    code: str | None = None
    message: str = "No."
    echoes: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    async def give(self, endpoint: "ScriptedS3", request: web.Request, body: bytes) -> web.StreamResponse:  # noqa: ARG002
        if self.code is None or request.method == "HEAD":  # an answer to HEAD has no body
            return web.Response(status=self.status, headers=self.headers)
        echoes = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in self.echoes.items())
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message>{echoes}"
            "<RequestId>4442587FB7D0A2F9</RequestId></Error>"
        )
        return web.Response(status=self.status, text=text, content_type="application/xml", headers=self.headers)


@dataclass(frozen=True)
class Page:
    """A web page with status 200, as a proxy or another server gives it."""

    text: str = "<html><head><title>Log in</title></head><body>Please log in.</body></html>"

    async def give(self, endpoint: "ScriptedS3", request: web.Request, body: bytes) -> web.StreamResponse:  # noqa: ARG002
        return web.Response(text=self.text, content_type="text/html")


@dataclass(frozen=True)
class Reset:
    """The connection breaks instead of an answer; `after_storing`: what was asked for has been done by then."""

    after_storing: bool = False

    async def give(self, endpoint: "ScriptedS3", request: web.Request, body: bytes) -> web.StreamResponse:
        answer = endpoint.serve(request, body) if self.after_storing else web.Response(status=500)
        assert request.transport is not None
        request.transport.abort()
        return answer


@dataclass(frozen=True)
class Slow:
    """The request is served, but the answer to it comes too late."""

    seconds: float

    async def give(self, endpoint: "ScriptedS3", request: web.Request, body: bytes) -> web.StreamResponse:
        answer = endpoint.serve(request, body)
        await asyncio.sleep(self.seconds)
        return answer


@dataclass
class AtMost:
    """Serves so many requests at a time, each for some seconds, and refuses the others; `most`: the maximum at one
    time. The first ones are served once there were too many: a slow sender does not pass for a modest one.
    """

    limit: int
    refusal: Refusal
    seconds: float
    most: int = 0
    refused: int = 0
    _now: int = 0
    _were_too_many: asyncio.Event = field(default_factory=asyncio.Event)

    async def give(self, endpoint: "ScriptedS3", request: web.Request, body: bytes) -> web.StreamResponse:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if self._now > self.limit:
                self.refused += 1
                self._were_too_many.set()
                await asyncio.sleep(self.seconds)
                return await self.refusal.give(endpoint, request, body)
            await self._were_too_many.wait()
            await asyncio.sleep(self.seconds)
            return endpoint.serve(request, body)
        finally:
            self._now -= 1


@dataclass(frozen=True)
class Served:
    """Nothing goes wrong."""

    async def give(self, endpoint: "ScriptedS3", request: web.Request, body: bytes) -> web.StreamResponse:
        return endpoint.serve(request, body)


class ScriptedS3:
    """Listens on a free port of 127.0.0.1, in a thread of its own, as long as its `with` block lasts."""

    def __init__(self, bucket: str, scheme: str) -> None:
        self.bucket = bucket
        self.scheme = scheme
        self.objects: dict[str, bytes] = {}
        self.writes: Counter[str] = Counter()  # one for each version that a bucket with versions would have
        self.times: dict[str, datetime] = {}
        self.requests: list[Request] = []
        self.seen: list[Seen] = []
        self.demands = Demands()
        self._script: dict[str, list[Answer]] = {}
        self._for_ever: dict[str, Answer] = {}
        self.port = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def answer(self, method: str, *answers: Answer) -> None:
        """Give the next requests of a method these answers, one each."""
        self._script[method] = list(answers)

    def always_answer(self, method: str, answer: Answer) -> None:
        """Give every request of a method this answer."""
        self._for_ever[method] = answer

    def recover(self) -> None:
        """Forget the script and the requests; the objects stay."""
        self._script.clear()
        self._for_ever.clear()
        self.requests.clear()
        self.seen.clear()
        self.demands = Demands()

    def reset(self) -> None:
        """Become an empty bucket again."""
        self.recover()
        self.objects.clear()
        self.writes.clear()

    def serve(self, request: web.Request, body: bytes) -> web.Response:
        """Do what S3 does."""
        key = self._key(request)
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return web.Response(status=204)
        if request.method == "PUT" and (status := self._put(request, key, body)) is not None:
            return web.Response(status=status)
        if "list-type" in request.query:
            return self._listed(request.query.get("prefix", ""))
        if key not in self.objects:
            return web.Response(status=404)
        content = self.objects[key]
        headers = {"ETag": _etag(content), "Last-Modified": "Mon, 21 May 2018 00:00:00 GMT"}
        if (wanted := request.http_range).start is not None and request.method == "GET":
            part = content[wanted]
            headers["Content-Range"] = f"bytes {wanted.start}-{wanted.start + len(part) - 1}/{len(content)}"
            return web.Response(status=206, body=part, headers=headers)
        # aiohttp leaves the body out of an answer to HEAD, and keeps its length.
        return web.Response(body=b"" if request.method == "PUT" else content, headers=headers)

    def _put(self, request: web.Request, key: str, body: bytes) -> int | None:
        """Store an object; returns the status of a refusal, or None."""
        sent = request.headers.get("x-amz-checksum-sha256")
        if sent is not None and sent != base64.b64encode(hashlib.sha256(body).digest()).decode():
            return 400
        if request.headers.get("If-None-Match") == "*" and key in self.objects:
            return 412
        self.objects[key] = body
        self.times[key] = datetime.now(UTC)
        self.writes[key] += 1
        return None

    def _listed(self, prefix: str) -> web.Response:
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size><ETag>{escape(_etag(content))}</ETag>"
            f"<LastModified>{self.times.get(key, LONG_AGO):%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
            for key, content in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        return web.Response(text=text, content_type="application/xml")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append(Request(request.method, self._key(request)))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.method, request.host, request.path, headers))
        script = self._script.get(request.method)
        answer = script.pop(0) if script else self._for_ever.get(request.method)
        answer = answer or self.demands.refusal(request, self.bucket)
        return self.serve(request, body) if answer is None else await answer.give(self, request, body)

    def _key(self, request: web.Request) -> str:
        return request.path.removeprefix(f"/{self.bucket}").lstrip("/")


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@contextmanager
def scripted_s3(bucket: str, *, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedS3]:
    """Run a scripted endpoint with one bucket."""
    endpoint = ScriptedS3(bucket, "https" if tls else "http")
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def start() -> web.AppRunner:
        application = web.Application(client_max_size=100_000_000)
        application.router.add_route("*", "/{tail:.*}", endpoint.handle)
        # A slow answer that is no longer awaited must not delay the end of the test.
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        endpoint.port = runner.addresses[0][1]
        return runner

    def run() -> None:
        runner = loop.run_until_complete(start())
        started.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, name="scripted S3", daemon=True)
    thread.start()
    assert started.wait(START_SECONDS), "the scripted S3 endpoint did not start"
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_SECONDS)
