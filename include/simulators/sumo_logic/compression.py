"""The three content encodings that an HTTP source takes: gzip, deflate (a zlib stream) and zstd."""

from __future__ import annotations

import gzip
import zlib

import zstandard

_GZIP_WINDOW = 31
_ZLIB_WINDOW = 15


class BadEncodingError(ValueError):
    """The body does not match its Content-Encoding."""


def decompress(body: bytes, encoding: str) -> bytes:
    """Undo `encoding`, the value of Content-Encoding; raises BadEncodingError where that is not possible."""
    try:
        match encoding:
            case "" | "identity":
                return body
            case "gzip":
                return gzip.decompress(body)
            case "deflate":
                return _inflate(body)
            case "zstd":
                return _zstd(body)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise BadEncodingError(f"Content-Encoding is {encoding}, the body is something else: {error}") from error
    raise BadEncodingError(f"Content-Encoding {encoding} is not supported: use gzip, deflate or zstd")


def decompress_beginning(body: bytes, encoding: str) -> bytes:
    """As much as can be had from the beginning of a body whose rest never came."""
    try:
        match encoding:
            case "gzip":
                return zlib.decompressobj(wbits=_GZIP_WINDOW).decompress(body)
            case "deflate":
                return zlib.decompressobj(wbits=_ZLIB_WINDOW).decompress(body)
            case "zstd":
                return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    except (zlib.error, zstandard.ZstdError):
        return b""
    return body


def _inflate(body: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=_ZLIB_WINDOW)
    plain = stream.decompress(body) + stream.flush()
    if not stream.eof or stream.unused_data:
        raise BadEncodingError("Content-Encoding is deflate, the body is cut short or has something after it")
    return plain


def _zstd(body: bytes) -> bytes:
    plain = b""
    while body:
        frame = zstandard.ZstdDecompressor().decompressobj()
        plain += frame.decompress(body)
        if not frame.eof:
            raise BadEncodingError("Content-Encoding is zstd, the body is cut short")
        body = frame.unused_data
    return plain
