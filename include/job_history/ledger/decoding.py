"""Decodes the files of the ledger: strictly, and nowhere else."""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import msgspec

from job_history.errors import PermanentError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code

FileContent = TypeVar("FileContent", bound=msgspec.Struct)


class _Versioned(msgspec.Struct):
    version: int = 1


def decoded(content: bytes, kind: type[FileContent], where: str) -> FileContent:
    """Decode a JSON file of the ledger; `where` is its URL, for messages.

    Raises PermanentError with code LEDGER_FILE_DAMAGED if it is not such a file, and LEDGER_TOO_NEW if its `version` is
    newer than the one that `kind` has as default.
    """
    known = _known_version(kind)
    try:
        made = msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        _check_version(_version_in(content), known, where)
        raise ledger_error(Code.LEDGER_FILE_DAMAGED, where, detail=str(error)) from error
    _check_version(getattr(made, "version", 1), known, where)
    return made


def _version_in(content: bytes) -> int:
    try:
        return msgspec.json.decode(content, type=_Versioned).version
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return 1


def _check_version(version: int, known: int, where: str) -> None:
    if version > known:
        raise ledger_error(Code.LEDGER_TOO_NEW, where, version=version, known=known)


def ledger_error(code: Code, where: str, **facts: object) -> PermanentError:
    """Return the error about a file of the ledger."""
    found = finding(code, where, **facts)
    return PermanentError(str(found), code=code)


@cache
def _known_version(kind: type[msgspec.Struct]) -> int:
    return next((int(field.default) for field in msgspec.structs.fields(kind) if field.name == "version"), 1)
