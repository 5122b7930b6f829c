"""What a check of a receiver of messages by HTTP can find: Splunk, Datadog, any other."""

from __future__ import annotations

from job_history.errors.code import Code
from job_history.errors.entry import ERROR, TRANSIENT, Entry

_STATUS = "If it persists, look at the network between and at the receiver's status page."

RECEIVER_FINDINGS: dict[Code, Entry] = {
    Code.RECEIVER_NO_ADDRESS: Entry(TRANSIENT, "its host name is not known ({detail})", _STATUS),
    Code.RECEIVER_UNREACHABLE: Entry(TRANSIENT, "no connection ({detail})", _STATUS),
    Code.RECEIVER_CERTIFICATE: Entry(
        ERROR,
        "its TLS certificate is not valid here ({detail})",
        "Name the certificate authority to trust in the connection's extra (`verify`) or in REQUESTS_CA_BUNDLE, or "
        "correct the host.",
    ),
    Code.RECEIVER_NO_ANSWER: Entry(TRANSIENT, "no whole answer ({detail})", _STATUS),
    Code.RECEIVER_BUSY: Entry(TRANSIENT, "it is not available now ({detail})", _STATUS),
    Code.RECEIVER_THROTTLED: Entry(
        TRANSIENT, "it accepts no more requests for now ({detail})", "The account is over its rate: look at its limits."
    ),
    Code.RECEIVER_BAD_REQUEST: Entry(
        ERROR,
        "it does not accept the request ({detail})",
        "Look at the settings of the account's destination. Splunk answers so to an index that the token does not "
        "allow (code 7), and to a token with indexer acknowledgement (code 10): take one without.",
    ),
    Code.RECEIVER_UNAUTHORIZED: Entry(
        ERROR,
        "it does not accept the credentials ({detail})",
        "Correct the token, key or password of the connection; a token may also be disabled on the receiver's side.",
    ),
    Code.RECEIVER_NOT_FOUND: Entry(
        ERROR, "there is no receiver at this URL ({detail})", "Correct the host of the connection and the path."
    ),
    Code.RECEIVER_TOO_LARGE: Entry(
        ERROR,
        "the request was too large ({detail})",
        "Raise the limit of the receiver, or of the proxy between; or set a smaller max_message_bytes.",
    ),
    Code.RECEIVER_REDIRECT: Entry(
        ERROR, "it redirects the request ({detail})", "A redirect is not followed: name the final URL."
    ),
    Code.RECEIVER_REFUSED: Entry(
        ERROR, "it refuses the request ({detail})", "Look the status up in the receiver's documentation."
    ),
    Code.RECEIVER_NOT_ACKNOWLEDGED: Entry(
        ERROR,
        "it answers with success, but not as such a receiver does ({detail})",
        "Correct the host of the connection: a proxy or a page to log in may answer in its place. Whether anything was "
        "stored is not known.",
    ),
    Code.RECEIVER_URL_UNUSABLE: Entry(
        ERROR, "requests cannot be made ({detail})", "Correct the host of the connection and the path."
    ),
}
