"""What a check of an object store other than S3 can find: Azure Blob Storage, Google Cloud Storage."""

from __future__ import annotations

from job_history.errors.code import Code
from job_history.errors.entry import ERROR, TRANSIENT, Entry

_STORE_HEALTH = "If it persists, look at the store's status page and at the network between."

STORE_FINDINGS: dict[Code, Entry] = {
    Code.STORE_ENDPOINT_UNUSABLE: Entry(
        ERROR, "requests cannot be made ({detail})", "Correct the connection: its account, host and extra."
    ),
    Code.STORE_NO_ADDRESS: Entry(
        TRANSIENT,
        "the endpoint's name has no address ({detail})",
        "Check the account's name or host in the connection, and this machine's name service.",
    ),
    Code.STORE_UNREACHABLE: Entry(
        TRANSIENT,
        "no connection to the endpoint ({detail})",
        "Check the host of the connection, and the network and firewalls between.",
    ),
    Code.STORE_TLS_FAILED: Entry(
        ERROR,
        "the endpoint's TLS certificate is not valid here, or it does not speak TLS ({detail})",
        "Correct the host of the connection, or add the store's certificate authority to those of this machine.",
    ),
    Code.STORE_NO_ANSWER: Entry(
        TRANSIENT, "the store did not answer in time, or the connection broke ({detail})", _STORE_HEALTH
    ),
    Code.STORE_BUSY: Entry(TRANSIENT, "the store answered {detail}", _STORE_HEALTH),
    Code.STORE_NO_CREDENTIALS: Entry(
        ERROR,
        "the store does not accept the connection's credentials ({detail})",
        "Correct or renew the key, token or identity of the connection.",
    ),
    Code.STORE_CREDENTIALS_AWAY: Entry(
        TRANSIENT,
        "the service that gives the connection its credentials failed ({detail})",
        "If it persists, look at the status page of the cloud's identity service, and at the network between.",
    ),
    Code.STORE_NO_SUCH_CONTAINER: Entry(
        ERROR, "there is no such container ({detail})", "Create it, or correct its name in the account's destination."
    ),
    Code.STORE_ACCESS_DENIED: Entry(
        ERROR,
        "the identity may not {doing} `{key}` ({detail})",
        "Grant the connection's identity the right to create, read and list objects there: on Azure the role Storage "
        "Blob Data Contributor (of a SAS: read, create, write, list), on Google Cloud the role Storage Object User.",
    ),
    Code.STORE_CREATE_ONLY_IGNORED: Entry(
        ERROR,
        "the store wrote `{key}` twice, although the request was create-only",
        'Set `"write_mode": "overwrite"` for the account. This store cannot be kept from replacing objects.',
    ),
    Code.STORE_OTHER_BYTES: Entry(
        ERROR,
        "`{key}` came back with other bytes than were written ({detail})",
        "Find out what changes objects on the way to the store. If someone replaced the probe, delete it.",
    ),
    Code.STORE_ODD_KEY: Entry(
        ERROR,
        "a folder has an object that cannot be listed ({detail})",
        "Delete or rename that object, which is none of ours: a key's parts are neither empty nor `.` or `..`.",
    ),
    Code.STORE_REFUSED: Entry(
        ERROR, "the store answered {detail}", "Look the code up in the store's list of error codes."
    ),
}
