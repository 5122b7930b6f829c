"""A local stand-in for Google Cloud Storage's XML API: objects with generations, in memory.

It holds to the pages "XML API overview", "PUT Object", "GET Bucket (List Objects) v2", "Multipart uploads" and "Request
preconditions" of Cloud Storage's documentation: a request needs the bearer token, create-only is
`x-goog-if-generation-match: 0` (412 if the object exists; `If-None-Match` is not known for writes), each write makes a
new generation, an ETag is the MD5 of the bytes unless they came in parts, a listing has at most 1,000 keys.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from aiohttp import web

from simulators.stand_in.serving import in_thread, served

TOKEN = "local-google-token"
MAX_OBJECT_BYTES = 100_000_000
MAX_KEYS = 1_000
_CODES = {
    401: "AuthenticationRequired",
    403: "AccessDenied",
    404: "NoSuchBucket",
    429: "SlowDown",
    500: "InternalError",
}
_MIN_PART_BYTES = 5 * 1024 * 1024


@dataclass
class StoredObject:
    """One object as it is now."""

    content: bytes
    generation: int
    e_tag: str
    content_type: str
    metadata: dict[str, str]
    updated: float = field(default_factory=time.time)


class Refused(web.HTTPException):
    """An error of the XML API."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status_code = status
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        super().__init__(text=body, content_type="application/xml")


@dataclass
class GoogleStorage:
    """The service: buckets, and what tests ask of it.

    `failures`: what becomes of the next requests: a status to answer before anything else; `lost`: done, and the
    connection breaks before the answer; None: nothing.
    """

    token: str = TOKEN
    buckets: dict[str, dict[str, StoredObject]] = field(default_factory=dict)
    public: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    failures: list[int | str | None] = field(default_factory=list)
    address: str = ""
    _uploads: dict[str, tuple[str, str, str, dict[int, bytes]]] = field(default_factory=dict)
    _generation: int = 1_700_000_000_000_000

    def create_bucket(self, name: str, *, public: bool = False) -> None:
        self.buckets[name] = {}
        if public:
            self.public.add(name)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.raw_path))
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, int):
            raise Refused(failure, _CODES.get(failure, "ServiceUnavailable"), "A failure that a test asks for.")
        answer = await self._answer(request)
        if failure == "lost" and request.transport is not None:
            request.transport.abort()
        return answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        bucket, key = request.match_info["bucket"], request.match_info.get("key", "")
        self._check_authorization(request, bucket)
        if bucket not in self.buckets:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist.")
        if not key:
            return self._listing(bucket, request)
        if "uploads" in request.query or "uploadId" in request.query:
            return await self._multipart(bucket, key, request)
        if request.method == "PUT":
            content = await request.read()
            return self._put(bucket, key, content, request, f'"{hashlib.md5(content).hexdigest()}"')  # noqa: S324
        return self._existing(bucket, key, request)

    def _check_authorization(self, request: web.Request, bucket: str) -> None:
        given = request.headers.get("Authorization")
        if given is None and bucket in self.public:
            return
        if given is None:
            raise Refused(401, "AuthenticationRequired", "Authentication required.")
        if given != f"Bearer {self.token}":
            raise Refused(401, "AuthenticationRequired", "The provided token is not valid.")

    def _put(self, bucket: str, key: str, content: bytes, request: web.Request, e_tag: str) -> web.Response:
        objects, given = self.buckets[bucket], request.headers
        if len(key.encode()) > 1024 or "\r" in key or "\n" in key:
            raise Refused(400, "InvalidObjectName", "The object name is not valid.")
        wanted = given.get("x-goog-if-generation-match")
        now = objects[key].generation if key in objects else 0
        if wanted is not None and int(wanted) != now:
            raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
        prefix = "x-goog-meta-"
        metadata = {name.lower().removeprefix(prefix): value for name, value in given.items() if prefix in name.lower()}
        content_type = given.get("Content-Type", "application/octet-stream")
        self._generation += 1
        objects[key] = StoredObject(content, self._generation, e_tag, content_type, metadata)
        return web.Response(headers={"ETag": e_tag, "x-goog-generation": str(self._generation)})

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object as another client of the bucket would."""
        self._generation += 1
        e_tag = f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324 - a checksum
        self.buckets[bucket][key] = StoredObject(content, self._generation, e_tag, "application/octet-stream", {})

    def _existing(self, bucket: str, key: str, request: web.Request) -> web.Response:
        found = self.buckets[bucket].get(key)
        if found is None:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        if request.method == "DELETE":
            del self.buckets[bucket][key]
            return web.Response(status=204)
        md5 = base64.b64encode(hashlib.md5(found.content).digest()).decode()  # noqa: S324 - a checksum
        headers = {
            "ETag": found.e_tag,
            "Last-Modified": formatdate(found.updated, usegmt=True),
            "x-goog-generation": str(found.generation),
            "x-goog-hash": f"md5={md5}",
            "Content-Type": found.content_type,
            **{f"x-goog-meta-{name}": value for name, value in found.metadata.items()},
        }
        if (span := request.http_range) != slice(None, None, 1) and request.method == "GET":
            start, stop, _ = span.indices(len(found.content))
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(found.content)}"
            return web.Response(status=206, body=found.content[start:stop], headers=headers)
        return web.Response(body=found.content, headers=headers)

    def _listing(self, bucket: str, request: web.Request) -> web.Response:
        if request.query.get("list-type") != "2":
            raise Refused(400, "InvalidArgument", "Only list-type 2 is served here.")
        prefix = request.query.get("prefix", "")
        after = max(request.query.get("start-after", ""), request.query.get("continuation-token", ""))
        most = min(int(request.query.get("max-keys", MAX_KEYS)), MAX_KEYS)
        keys = sorted(key for key in self.buckets[bucket] if key.startswith(prefix) and key > after)
        page = keys[:most]
        more = len(keys) > len(page)
        contents = "".join(_entry(key, self.buckets[bucket][key]) for key in page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more and page else ""
        return _xml(
            f"<ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'><Name>{bucket}</Name>"
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}</ListBucketResult>"
        )

    async def _multipart(self, bucket: str, key: str, request: web.Request) -> web.Response:
        if "uploads" in request.query:
            upload = f"upload-{len(self._uploads) + 1}"
            self._uploads[upload] = (bucket, key, request.headers.get("Content-Type", ""), {})
            return _xml(
                f"<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
                f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            )
        upload = request.query["uploadId"]
        if upload not in self._uploads:
            raise Refused(404, "NoSuchUpload", "The requested upload was not found.")
        parts = self._uploads[upload][3]
        if request.method == "DELETE":
            del self._uploads[upload]
            return web.Response(status=204)
        if request.method == "PUT":
            content = await request.read()
            parts[int(request.query["partNumber"])] = content
            return web.Response(headers={"ETag": f'"{hashlib.md5(content).hexdigest()}"'})  # noqa: S324
        named = [int(each.text or 0) for each in ET.fromstring(await request.read()).iter("PartNumber")]  # noqa: S314
        if sorted(parts) != named:
            raise Refused(400, "InvalidPart", "One or more of the specified parts could not be found.")
        if any(len(parts[number]) < _MIN_PART_BYTES for number in named[:-1]):
            raise Refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum object size.")
        del self._uploads[upload]
        content = b"".join(parts[number] for number in named)
        e_tag = f'"{hashlib.md5(content).hexdigest()}-{len(named)}"'  # noqa: S324
        self._put(bucket, key, content, request, e_tag)
        return _xml(
            f"<CompleteMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
            f"<ETag>{escape(e_tag)}</ETag></CompleteMultipartUploadResult>"
        )


def _entry(key: str, found: StoredObject) -> str:
    updated = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found.updated))
    return (
        f"<Contents><Key>{escape(key)}</Key><Generation>{found.generation}</Generation><MetaGeneration>1"
        f"</MetaGeneration><LastModified>{updated}</LastModified><ETag>{escape(found.e_tag)}</ETag>"
        f"<Size>{len(found.content)}</Size></Contents>"
    )


def _xml(body: str) -> web.Response:
    return web.Response(text=f"<?xml version='1.0' encoding='UTF-8'?>{body}", content_type="application/xml")


def _application(storage: GoogleStorage) -> web.Application:
    application = web.Application(client_max_size=MAX_OBJECT_BYTES)
    for path in ("/{bucket}", "/{bucket}/", "/{bucket}/{key:.+}"):
        application.router.add_route("*", path, storage.answer)
    return application


@contextmanager
def google_storage() -> Iterator[GoogleStorage]:
    """Serve on a free port of 127.0.0.1 for as long as the block lasts."""
    storage = GoogleStorage()
    with in_thread(lambda: served(_application(storage)), "google-storage") as address:
        storage.address = address
        yield storage
