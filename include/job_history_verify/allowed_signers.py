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

_OPTION = re.compile(r'(?:(namespaces|valid-after|valid-before)="([^"]*)"|(cert-authority))(?:,|$)', re.IGNORECASE)
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2})?)?(Z?)")


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
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                keys += _key_of(line.strip())
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    return AllowedSigners(keys)


def allowed_signers_line(public_key: bytes, comment: str = "") -> str:
    blob = base64.b64encode(key_blob(public_key)).decode()
    return f'{IDENTITY} namespaces="{NAMESPACE}" {KEY_TYPE.decode()} {blob} {comment}'.rstrip()


def _key_of(line: str) -> list[AllowedKey]:
    # OpenSSH takes a tab for a space, also within quotation marks, in which none of ours has either.
    principals, _, rest = line.replace("\t", " ").partition(" ")
    rest = rest.lstrip()
    options = ""
    if not rest.startswith(("ssh-", "ecdsa-", "sk-")):
        options, rest = _options_and_rest(rest)
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
    return [
        AllowedKey(public_key, _time(chosen.get("valid-after")), _time(chosen.get("valid-before"))),
    ]


def _options_and_rest(text: str) -> tuple[str, str]:
    """Split after the options: at the first space outside of quotation marks."""
    quoted = False
    for position, letter in enumerate(text):
        quoted ^= letter == '"'
        if letter == " " and not quoted:
            return text[:position], text[position:].lstrip()
    raise ValueError("there is no key")


def _options(text: str) -> dict[str, str]:
    """Read options, as `valid-before="20260601Z",namespaces="file"`. Raises ValueError, as OpenSSH refuses a line."""
    options, position = {}, 0
    while position < len(text):
        match = _OPTION.match(text, position)
        if match is None:
            raise ValueError(f"{text[position:]!r:.60} does not begin with an option that OpenSSH knows")
        options[(match[1] or match[3]).lower()] = match[2] or ""
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
    if zone:
        return moment
    # Without a Z it is in the machine's own time zone.
    return datetime.fromtimestamp(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)), timezone.utc)
