"""The public keys that an auditor trusts, as an OpenSSH `allowed_signers` file."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import NamedTuple

from job_history_verify.sshsig import IDENTITY, KEY_TYPE, NAMESPACE, key_blob, public_key_of

_OPTION = re.compile(r'(?:(namespaces|valid-after|valid-before)="([^"]*)"|(cert-authority))(?:,(?!$)|$)', re.IGNORECASE)
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2})?)?(Z|UTC)?", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class AllowedKey(NamedTuple):
    """A line of the file. `valid_after` and `valid_before` include the moment itself, as for ssh-keygen."""

    public_key: bytes
    valid_after: datetime | None
    valid_before: datetime | None

    def is_valid(self, moment: datetime) -> bool:
        return (self.valid_after is None or self.valid_after <= moment) and (
            self.valid_before is None or moment <= self.valid_before
        )


class AllowedSigners:
    """The keys that may sign seals; a key can have several lines, with different times."""

    def __init__(self, keys: Iterable[AllowedKey]) -> None:
        self.keys = list(keys)

    def knows(self, public_key: bytes) -> bool:
        return any(key.public_key == public_key for key in self.keys)

    def allows(self, public_key: bytes, moment: datetime) -> bool:
        return any(key.public_key == public_key and key.is_valid(moment) for key in self.keys)


def parse_allowed_signers(text: str) -> AllowedSigners:
    """Read the Ed25519 keys of the identity `job-history` for the namespace of seals.

    Raises ValueError, with the line's number, for a line that is not understood.
    """
    keys = []
    # Only these end or indent a line for OpenSSH: a comment may hold what Python takes for a line end.
    for number, line in enumerate((each.strip(" \t\r") for each in text.split("\n")), 1):
        if line and not line.startswith("#"):
            try:
                keys += _key_of(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    return AllowedSigners(keys)


def allowed_signers_line(public_key: bytes) -> str:
    blob = base64.b64encode(key_blob(public_key)).decode()
    return f'{IDENTITY} namespaces="{NAMESPACE}" {KEY_TYPE.decode()} {blob}'


def _key_of(line: str) -> list[AllowedKey]:
    # OpenSSH takes a tab for a space, also within quotation marks, in which none of ours has either.
    principals, rest = _word_and_rest(line.replace("\t", " "))
    options = ""
    if not rest.startswith(("ssh-", "ecdsa-", "sk-")):
        options, rest = _word_and_rest(rest)
    key_type, _, blob = rest.partition(" ")
    # A key of another type signs no seal, and an authority's certificates are not used.
    chosen = _options(options)
    if key_type != KEY_TYPE.decode() or "cert-authority" in chosen or not _matches(principals.strip('"'), IDENTITY):
        return []
    if "namespaces" in chosen and not _matches(chosen["namespaces"], NAMESPACE):
        return []
    try:
        public_key = public_key_of(base64.b64decode(blob.split()[0] if blob.split() else "", validate=True))
    except binascii.Error as error:
        raise ValueError(f"the key is not base64: {error}") from error
    valid_after, valid_before = _time(chosen.get("valid-after")), _time(chosen.get("valid-before"))
    if valid_after and valid_before and valid_before <= valid_after:
        raise ValueError("valid-before is not after valid-after")
    return [AllowedKey(public_key, valid_after, valid_before)]


def _word_and_rest(text: str) -> tuple[str, str]:
    """Split at the first space outside of quotation marks. Raises ValueError if there is none."""
    quoted = False
    for position, letter in enumerate(text):
        quoted ^= letter == '"'
        if letter == " " and not quoted:
            return text[:position], text[position:].lstrip(" ")
    raise ValueError("there is no key")


def _options(text: str) -> dict[str, str]:
    """Read options, as `valid-before="20260601Z",namespaces="file"`. Raises ValueError, as OpenSSH refuses a line."""
    options: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _OPTION.match(text, position)
        if match is None:
            raise ValueError(f"{text[position:]!r:.60} does not begin with an option that OpenSSH knows")
        name = (match[1] or match[3]).lower()
        if name in options:
            raise ValueError(f"the option {name} is there twice")
        options[name] = match[2] or ""
        position = match.end()
    return options


def _matches(patterns: str, name: str) -> bool:
    """Match as OpenSSH does: `*` and `?`, separated by commas; one that begins with `!` excludes."""
    found = False
    for pattern in patterns.split(","):
        if fnmatchcase(name, pattern.removeprefix("!").replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.40} is not a time as YYYYMMDD[HHMM[SS]][Z]")
    *fields, zone = match.groups()
    year, month, day, hour, minute, second = (int(field or 0) for field in fields)
    moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    try:
        if not zone:
            # It is in the machine's own time zone.
            moment = datetime.fromtimestamp(time.mktime((*moment.timetuple()[:8], -1)), timezone.utc)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{text!r} is a time that this machine cannot convert") from error
    if moment <= _EPOCH:
        raise ValueError(f"{text!r} is before 1970")
    return moment
