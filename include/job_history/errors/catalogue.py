"""Every finding that there is: its severity, its cause, and the sentence that says what to do.

docs/operations.md shows this list (`python -m job_history.errors.catalogue` writes it), and what the destinations and
sources say when a task fails takes its advice from here too.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import NamedTuple

from job_history.errors import ReplicationError, TransientError
from job_history.errors.code import Code, Severity
from job_history.errors.finding import Finding

ERROR, TRANSIENT, WARNING = Severity.ERROR, Severity.TRANSIENT, Severity.WARNING


class Entry(NamedTuple):
    """`cause`: a template, which stands behind where it happened."""

    severity: Severity
    cause: str
    fix: str


_REGION = "Set `region_name` of the connection to the bucket's own region (`aws s3api get-bucket-location` tells it)."
_SESSION_TOKEN = "Renew the session token of the connection, or let it assume a role."  # noqa: S105 - no token
_STORE_HEALTH = "Should it last, look at the store's own health page and at the network between."
_SUMO_LOGIC_URL = (
    "Compare the connection's URL with the source's own (Collection > the source > Show URL): generating a new one ends "
    "the old one. A new URL may need some minutes until it is known."
)
_SUMO_LOGIC_STATUS = "Should it last, look at the network between and at Sumo Logic's own status page."
_VIEWS = (
    "Map your schema with views as docs/job-store.md shows, and check that the connection names the right database."
)
_WORKATO_STATUS = "Should it last, look at the network between and at the platform's status page."
_WORKATO_HOST = "Check the connection's host, and the account's source.managed_user_id where it has one."

CATALOGUE: dict[Code, Entry] = {
    Code.CONNECTION_UNUSABLE: Entry(
        ERROR, "the connection cannot be used: {said}", "Correct the connection (Admin > Connections) or the account."
    ),
    Code.CHECK_BROKE: Entry(
        TRANSIENT, "the check itself broke ({said}), and says nothing", "See the log; what is delivered shows the rest."
    ),
    Code.S3_ENDPOINT_UNUSABLE: Entry(
        ERROR, "requests cannot be made ({said})", "Correct `endpoint_url` and `region_name` of the connection."
    ),
    Code.S3_NO_ADDRESS: Entry(
        TRANSIENT,
        "the endpoint's name has no address (DNS)",
        "Check `endpoint_url` and `region_name` of the connection, and this machine's name service.",
    ),
    Code.S3_UNREACHABLE: Entry(
        TRANSIENT,
        "no connection to the endpoint ({said})",
        "Check `endpoint_url` of the connection, and the network and firewalls between.",
    ),
    Code.S3_TLS_FAILED: Entry(
        ERROR,
        "the endpoint's TLS certificate is not valid here, or it does not speak TLS ({said})",
        "Correct `endpoint_url` of the connection (https:// or http://?), or give the store a certificate that this machine "
        "trusts.",
    ),
    Code.S3_NO_ANSWER: Entry(TRANSIENT, "the store did not answer in time, or broke off ({said})", _STORE_HEALTH),
    Code.S3_BUSY: Entry(TRANSIENT, "the store answered {said}", _STORE_HEALTH),
    Code.S3_NO_CREDENTIALS: Entry(
        ERROR,
        "the connection gave no credentials ({said})",
        "Give the connection an access key that is valid, or a role that it may assume.",
    ),
    Code.S3_CREDENTIALS_AWAY: Entry(
        TRANSIENT,
        "the service that gives the connection its credentials failed ({said})",
        "Should it last, look at the health page of that service (AWS STS), and at the network between.",
    ),
    Code.S3_UNKNOWN_ACCESS_KEY: Entry(
        ERROR, "the store does not know the access key ({said})", "Correct the access key of the connection."
    ),
    Code.S3_WRONG_SECRET_KEY: Entry(
        ERROR, "the secret key is not that of the access key ({said})", "Correct the secret key of the connection."
    ),
    Code.S3_TOKEN_EXPIRED: Entry(ERROR, "the session token is too old ({said})", _SESSION_TOKEN),
    Code.S3_TOKEN_INVALID: Entry(ERROR, "the session token is not valid ({said})", _SESSION_TOKEN),
    Code.S3_CLOCK_SKEWED: Entry(
        ERROR,
        "this machine's clock is too far from the store's ({said})",
        "Set the clock of this machine.",
    ),
    Code.S3_CLOCK_OFF: Entry(
        WARNING,
        "this machine's clock is {seconds} s {direction} the store's; from 900 s on, the store refuses requests",
        "Set the clock of this machine, and have it kept right (NTP).",
    ),
    Code.S3_NO_SUCH_BUCKET: Entry(
        ERROR,
        "there is no such bucket ({said})",
        "Create the bucket, or correct `destination.bucket` of the account (or the bucket of its connection).",
    ),
    Code.S3_WRONG_REGION: Entry(
        ERROR, "the bucket is in {bucket_region}, and was asked for in {region} ({said})", _REGION
    ),
    Code.S3_ACCESS_DENIED: Entry(
        ERROR,
        "the identity may not {doing} `{key}` ({said})",
        "Grant the connection's identity s3:PutObject and s3:GetObject on the bucket's objects (and the use of the KMS key, "
        "where one encrypts them).",
    ),
    Code.S3_KMS_ACCESS_DENIED: Entry(
        ERROR,
        "the identity may not use the KMS key to {doing} `{key}` ({said})",
        "Grant the connection's identity kms:GenerateDataKey and kms:Decrypt on the key, in its policy and in the key's own.",
    ),
    Code.S3_KMS_KEY_NOT_FOUND: Entry(
        ERROR, "there is no such KMS key ({said})", "Correct `destination.kms_key_id` of the account."
    ),
    Code.S3_KMS_KEY_DISABLED: Entry(ERROR, "the KMS key cannot be used ({said})", "Enable the KMS key again."),
    Code.S3_CREATE_ONLY_UNKNOWN: Entry(
        ERROR,
        "the store refuses create-only writes ({said})",
        'The store does not know conditional PUT: set `"write_mode": "overwrite"` for the account.',
    ),
    Code.S3_CREATE_ONLY_IGNORED: Entry(
        ERROR,
        "the store wrote `{key}` twice, although it was told to create only (If-None-Match)",
        'Set `"write_mode": "overwrite"` for the account: nothing can keep this store from replacing what is there.',
    ),
    Code.S3_OTHER_BYTES: Entry(
        ERROR,
        "`{key}` came back with other bytes than were written ({said})",
        "Find out what changes objects between here and the store; if somebody wrote over the probe, delete it.",
    ),
    Code.S3_NOT_ENCRYPTED_AS_SET: Entry(
        ERROR,
        "`{key}` is encrypted with {found}, and the account is set to {wanted}",
        "Correct `server_side_encryption` and `kms_key_id` of the account, or what the bucket and the store make of them.",
    ),
    Code.S3_REFUSED: Entry(ERROR, "the store answered {said}", "Look the code up in S3's list of error responses."),
    Code.SUMO_LOGIC_NO_ADDRESS: Entry(TRANSIENT, "its name is not known ({said})", _SUMO_LOGIC_STATUS),
    Code.SUMO_LOGIC_UNREACHABLE: Entry(TRANSIENT, "no connection ({said})", _SUMO_LOGIC_STATUS),
    Code.SUMO_LOGIC_CERTIFICATE: Entry(
        ERROR,
        "its TLS certificate is not valid here ({said})",
        "Add the certificate authority of your proxy to this machine's (REQUESTS_CA_BUNDLE), or correct the URL.",
    ),
    Code.SUMO_LOGIC_NO_ANSWER: Entry(TRANSIENT, "no whole answer ({said})", _SUMO_LOGIC_STATUS),
    Code.SUMO_LOGIC_BUSY: Entry(TRANSIENT, "it is not available now ({said})", _SUMO_LOGIC_STATUS),
    Code.SUMO_LOGIC_THROTTLED: Entry(
        TRANSIENT, "it takes no more for now ({said})", "Its account is over its rate: look at its ingest volume."
    ),
    Code.SUMO_LOGIC_BAD_REQUEST: Entry(
        ERROR,
        "it does not take the request ({said})",
        "Look at the account's source_category, source_name, source_host and fields.",
    ),
    Code.SUMO_LOGIC_UNAUTHORIZED: Entry(ERROR, "it does not know the token ({said})", _SUMO_LOGIC_URL),
    Code.SUMO_LOGIC_FORBIDDEN: Entry(
        ERROR,
        "it, or something between, forbids the request ({said})",
        f"A proxy or a rule between may forbid it. {_SUMO_LOGIC_URL}",
    ),
    Code.SUMO_LOGIC_NOT_FOUND: Entry(ERROR, "there is no such source ({said})", _SUMO_LOGIC_URL),
    Code.SUMO_LOGIC_TOO_LARGE: Entry(
        ERROR,
        "the request was too large ({said})",
        "Something between does not let 1 MB through: raise the limit of that proxy or gateway.",
    ),
    Code.SUMO_LOGIC_REDIRECT: Entry(
        ERROR, "it sends us elsewhere ({said})", "A source does not redirect: correct the connection's URL."
    ),
    Code.SUMO_LOGIC_REFUSED: Entry(
        ERROR, "it refuses the request ({said})", "Nothing of the request was stored; look the status up."
    ),
    Code.SUMO_LOGIC_URL_UNUSABLE: Entry(ERROR, "requests cannot be made ({said})", "Correct the connection's URL."),
    Code.SUMO_LOGIC_WARNED: Entry(
        WARNING,
        "it took the message, but says: {said}",
        "Look at the source in Sumo Logic: a 200 with a text means that something was wrong.",
    ),
    Code.SQL_NOT_FOUND: Entry(ERROR, "what is read is not there: {said}", _VIEWS),
    Code.SQL_COLUMN_MISSING: Entry(
        ERROR,
        "a column is missing: the {said}",
        "Map your schema with a view that has every column named in docs/job-store.md.",
    ),
    Code.SQL_COLUMN_CLASHES: Entry(
        ERROR,
        "a column is in the way: the {said}",
        "Leave it out of the view, or give it another name.",
    ),
    Code.SQL_NOT_LET_IN: Entry(
        ERROR, "the server lets nobody in: {said}", "Correct the connection's database, login or password."
    ),
    Code.SQL_NOT_READABLE: Entry(
        ERROR,
        "it cannot be read: {said}",
        "Check the relations' column types against docs/job-store.md, and the permissions.",
    ),
    Code.SQL_AWAY: Entry(
        TRANSIENT, "the database is away or busy: {said}", "Should it last, check the connection's host and login."
    ),
    Code.WORKATO_UNREACHABLE: Entry(TRANSIENT, "no whole answer ({said})", _WORKATO_STATUS),
    Code.WORKATO_CERTIFICATE: Entry(
        ERROR,
        "its TLS certificate is not valid here ({said})",
        "Add the certificate authority of your proxy to this machine's (REQUESTS_CA_BUNDLE), or correct the host.",
    ),
    Code.WORKATO_BUSY: Entry(TRANSIENT, "it is not available now ({said})", _WORKATO_STATUS),
    Code.WORKATO_BAD_REQUEST: Entry(
        ERROR,
        "it does not take the request ({said})",
        "The API does not take the request as documented: compare its version with docs/workato.md.",
    ),
    Code.WORKATO_UNAUTHORIZED: Entry(
        ERROR,
        "it does not know the token ({said})",
        "The token is not known there (revoked, mistyped, or of another data centre): correct the connection.",
    ),
    Code.WORKATO_FORBIDDEN: Entry(
        ERROR,
        "the token's role does not allow it ({said})",
        "Give the role of the token's API client the permission to list recipes, to list and get jobs, and for admin events to "
        "read the activity log.",
    ),
    Code.WORKATO_NOT_FOUND: Entry(ERROR, "there is no such thing ({said})", _WORKATO_HOST),
    Code.WORKATO_REDIRECT: Entry(ERROR, "it sends us elsewhere ({said})", f"Correct the host. {_WORKATO_HOST}"),
    Code.WORKATO_REFUSED: Entry(ERROR, "it refuses the request ({said})", "Look the status up; nothing was read."),
    Code.WORKATO_HOST_UNUSABLE: Entry(ERROR, "requests cannot be made ({said})", "Correct the connection's host."),
    Code.WORKATO_UNDOCUMENTED: Entry(
        ERROR,
        "its answer is not as documented ({said})",
        "Compare the version of the API with docs/workato.md, and report it.",
    ),
    Code.WORKATO_NO_RECIPES: Entry(
        ERROR,
        "the recipes cannot be seen ({said})",
        "The role of the token's API client has none of the projects: give it all whose jobs are to be replicated.",
    ),
}


def finding(code: Code, about: str, **facts: object) -> Finding:
    """Make a finding. `about`: where it happened, in words that begin a sentence; `facts` fill the entry's cause."""
    entry = CATALOGUE[code]
    cause = entry.cause.format_map({name: str(fact).rstrip(".") for name, fact in facts.items()})
    return Finding(code=code, severity=entry.severity, cause=f"{about}: {cause}.", fix=entry.fix)


def finding_of(fault: ReplicationError, about: str) -> Finding:
    """Make a finding of an error that has a code, or of one from the way to the check, which has none."""
    uncoded = Code.CHECK_BROKE if isinstance(fault, TransientError) else Code.CONNECTION_UNUSABLE
    return finding(fault.code or uncoded, about, said=fault.said)


def fix_of(code: Code) -> str:
    return CATALOGUE[code].fix


def catalogue_table() -> str:
    """Return the list as docs/operations.md has it; `...` stands for what differs from case to case."""
    heading = "| code | severity | cause | fix |\n|---|---|---|---|\n"
    anything: dict[str, str] = defaultdict(lambda: "...")
    return heading + "".join(
        f"| `{code}` | {entry.severity} | {entry.cause.format_map(anything)} | {entry.fix} |\n"
        for code, entry in CATALOGUE.items()
    )


if __name__ == "__main__":
    sys.stdout.write(catalogue_table())
