"""What a check of a destination can find: Amazon S3, Sumo Logic."""

from __future__ import annotations

from job_history.errors.code import Code
from job_history.errors.entry import ERROR, TRANSIENT, WARNING, Entry

_REGION = "Set `region_name` of the connection to the bucket's own region (`aws s3api get-bucket-location` shows it)."
_SESSION_TOKEN = "Renew the session token of the connection, or let it assume a role."  # noqa: S105 - no token
_STORE_HEALTH = "If it persists, look at the store's status page and at the network between."
_SUMO_LOGIC_URL = (
    "Compare the connection's URL with the source's own (Collection > the source > Show URL): generating a new one "
    "ends the old one. A new URL may need some minutes until it is known."
)
_SUMO_LOGIC_STATUS = "If it persists, look at the network between and at Sumo Logic's status page."

DESTINATION_FINDINGS: dict[Code, Entry] = {
    Code.S3_ENDPOINT_UNUSABLE: Entry(
        ERROR, "requests cannot be made ({detail})", "Correct `endpoint_url` and `region_name` of the connection."
    ),
    Code.S3_NO_ADDRESS: Entry(
        TRANSIENT,
        "the endpoint's name has no address ({detail})",
        "Check `endpoint_url` and `region_name` of the connection, and this machine's name service.",
    ),
    Code.S3_UNREACHABLE: Entry(
        TRANSIENT,
        "no connection to the endpoint ({detail})",
        "Check `endpoint_url` of the connection, and the network and firewalls between.",
    ),
    Code.S3_TLS_FAILED: Entry(
        ERROR,
        "the endpoint's TLS certificate is not valid here, or it does not speak TLS ({detail})",
        "Correct `endpoint_url` of the connection (https:// or http://?), or give the store a certificate that this "
        "machine trusts.",
    ),
    Code.S3_NO_ANSWER: Entry(
        TRANSIENT, "the store did not answer in time, or the connection broke ({detail})", _STORE_HEALTH
    ),
    Code.S3_BUSY: Entry(TRANSIENT, "the store answered {detail}", _STORE_HEALTH),
    Code.S3_NO_CREDENTIALS: Entry(
        ERROR,
        "the connection gave no credentials ({detail})",
        "Give the connection an access key that is valid, or a role that it may assume.",
    ),
    Code.S3_CREDENTIALS_AWAY: Entry(
        TRANSIENT,
        "the service that gives the connection its credentials failed ({detail})",
        "If it persists, look at the status page of that service (AWS STS), and at the network between.",
    ),
    Code.S3_UNKNOWN_ACCESS_KEY: Entry(
        ERROR, "the store does not know the access key ({detail})", "Correct the access key of the connection."
    ),
    Code.S3_WRONG_SECRET_KEY: Entry(
        ERROR, "the secret key is not that of the access key ({detail})", "Correct the secret key of the connection."
    ),
    Code.S3_TOKEN_EXPIRED: Entry(ERROR, "the session token is too old ({detail})", _SESSION_TOKEN),
    Code.S3_TOKEN_INVALID: Entry(ERROR, "the session token is not valid ({detail})", _SESSION_TOKEN),
    Code.S3_CLOCK_SKEWED: Entry(
        ERROR,
        "this machine's clock is too far from the store's ({detail})",
        "Set the clock of this machine.",
    ),
    Code.S3_CLOCK_OFF: Entry(
        WARNING,
        "this machine's clock is {seconds} s {direction} the store's; from 900 s on the store refuses requests",
        "Set the clock of this machine, and keep it synchronised (NTP).",
    ),
    Code.S3_NO_SUCH_BUCKET: Entry(
        ERROR,
        "there is no such bucket ({detail})",
        "Create the bucket, or correct `destination.bucket` of the account (or the bucket of its connection).",
    ),
    Code.S3_WRONG_REGION: Entry(
        ERROR, "the bucket is in {bucket_region}, but the request went to {region} ({detail})", _REGION
    ),
    Code.S3_ACCESS_DENIED: Entry(
        ERROR,
        "the identity may not {doing} `{key}` ({detail})",
        "Grant the connection's identity s3:PutObject and s3:GetObject on the bucket's objects (and the use of the "
        "KMS key, where one encrypts them).",
    ),
    Code.S3_KMS_ACCESS_DENIED: Entry(
        ERROR,
        "the identity may not use the KMS key to {doing} `{key}` ({detail})",
        "Grant the connection's identity kms:GenerateDataKey and kms:Decrypt on the key, in its policy and in the "
        "key's policy.",
    ),
    Code.S3_KMS_KEY_NOT_FOUND: Entry(
        ERROR, "there is no such KMS key ({detail})", "Correct `destination.kms_key_id` of the account."
    ),
    Code.S3_KMS_KEY_DISABLED: Entry(ERROR, "the KMS key cannot be used ({detail})", "Enable the KMS key again."),
    Code.S3_CREATE_ONLY_UNKNOWN: Entry(
        ERROR,
        "the store refuses create-only writes ({detail})",
        'The store does not know conditional PUT: set `"write_mode": "overwrite"` for the account.',
    ),
    Code.S3_CREATE_ONLY_IGNORED: Entry(
        ERROR,
        "the store wrote `{key}` twice, although the request was create-only (If-None-Match)",
        'Set `"write_mode": "overwrite"` for the account. This store cannot be kept from replacing objects.',
    ),
    Code.S3_CHECKSUM_REQUIRED: Entry(
        ERROR,
        "the bucket demands a checksum with each object ({detail})",
        'Set `"checksum": "sha256"` for the account: a bucket with Object Lock and default retention refuses objects '
        "without.",
    ),
    Code.S3_OTHER_BYTES: Entry(
        ERROR,
        "`{key}` came back with other bytes than were written ({detail})",
        "Find out what changes objects on the way to the store. If someone replaced the probe, delete it.",
    ),
    Code.S3_NOT_ENCRYPTED_AS_SET: Entry(
        ERROR,
        "`{key}` is encrypted with {found}, and the account is set to {wanted}",
        "Correct `server_side_encryption` and `kms_key_id` of the account, or the encryption settings of the bucket.",
    ),
    Code.S3_REFUSED: Entry(ERROR, "the store answered {detail}", "Look the code up in S3's list of error responses."),
    Code.SUMO_LOGIC_NO_ADDRESS: Entry(TRANSIENT, "its host name is not known ({detail})", _SUMO_LOGIC_STATUS),
    Code.SUMO_LOGIC_UNREACHABLE: Entry(TRANSIENT, "no connection ({detail})", _SUMO_LOGIC_STATUS),
    Code.SUMO_LOGIC_CERTIFICATE: Entry(
        ERROR,
        "its TLS certificate is not valid here ({detail})",
        "Name the certificate authority to trust in the connection's extra (`verify`) or in REQUESTS_CA_BUNDLE, or "
        "correct the URL.",
    ),
    Code.SUMO_LOGIC_NO_ANSWER: Entry(TRANSIENT, "no whole answer ({detail})", _SUMO_LOGIC_STATUS),
    Code.SUMO_LOGIC_BUSY: Entry(TRANSIENT, "it is not available now ({detail})", _SUMO_LOGIC_STATUS),
    Code.SUMO_LOGIC_THROTTLED: Entry(
        TRANSIENT,
        "it accepts no more requests for now ({detail})",
        "Its account is over its rate: look at its ingest volume.",
    ),
    Code.SUMO_LOGIC_BAD_REQUEST: Entry(
        ERROR,
        "it does not accept the request ({detail})",
        "Look at the account's source_category, source_name, source_host and fields.",
    ),
    Code.SUMO_LOGIC_UNAUTHORIZED: Entry(ERROR, "it does not know the token ({detail})", _SUMO_LOGIC_URL),
    Code.SUMO_LOGIC_FORBIDDEN: Entry(
        ERROR,
        "it, or a proxy between, forbids the request ({detail})",
        f"A proxy or a rule between may forbid it. {_SUMO_LOGIC_URL}",
    ),
    Code.SUMO_LOGIC_NOT_FOUND: Entry(ERROR, "there is no such source ({detail})", _SUMO_LOGIC_URL),
    Code.SUMO_LOGIC_TOO_LARGE: Entry(
        ERROR,
        "the request was too large ({detail})",
        "A proxy or gateway between does not accept 1 MB: raise its limit.",
    ),
    Code.SUMO_LOGIC_REDIRECT: Entry(
        ERROR, "it redirects the request ({detail})", "A source does not redirect: correct the connection's URL."
    ),
    Code.SUMO_LOGIC_REFUSED: Entry(
        ERROR, "it refuses the request ({detail})", "Nothing of the request was stored; look the status up."
    ),
    Code.SUMO_LOGIC_URL_UNUSABLE: Entry(ERROR, "requests cannot be made ({detail})", "Correct the connection's URL."),
    Code.SUMO_LOGIC_NOT_ACKNOWLEDGED: Entry(
        ERROR,
        "it answers with success, but not as Sumo Logic does ({detail})",
        "Correct the URL in the connection: a proxy or a page to log in may answer in its place. Whether anything was "
        "stored is not known.",
    ),
    Code.SUMO_LOGIC_WARNED: Entry(
        WARNING,
        "it accepted the message with a warning: {detail}",
        "Look at the source in Sumo Logic: a 200 with a text means that something was wrong with the message.",
    ),
}
