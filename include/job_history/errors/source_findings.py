"""What a check of a source can find: SQL databases, Workato."""

from __future__ import annotations

from job_history.errors.code import Code
from job_history.errors.entry import ERROR, TRANSIENT, Entry

_VIEWS = (
    "Map your schema with views as docs/job-store.md shows, and check that the connection names the right database."
)
_WORKATO_STATUS = "If it persists, look at the network between and at the platform's status page."
_WORKATO_HOST = "Check the connection's host, and the account's source.managed_user_id if it has one."

SOURCE_FINDINGS: dict[Code, Entry] = {
    Code.SQL_NOT_FOUND: Entry(ERROR, "a relation does not exist: {detail}", _VIEWS),
    Code.SQL_COLUMN_MISSING: Entry(
        ERROR,
        "a column is missing: the {detail}",
        "Map your schema with a view that has every column named in docs/job-store.md.",
    ),
    Code.SQL_COLUMN_CLASHES: Entry(
        ERROR,
        "a column has a reserved name: the {detail}",
        "Leave it out of the view, or give it another name.",
    ),
    Code.SQL_NOT_LET_IN: Entry(
        ERROR, "the server refuses the login: {detail}", "Correct the connection's database, login or password."
    ),
    Code.SQL_NOT_READABLE: Entry(
        ERROR,
        "it cannot be read: {detail}",
        "Check the relations' column types against docs/job-store.md, and the permissions.",
    ),
    Code.SQL_AWAY: Entry(
        TRANSIENT,
        "the database is unavailable or busy: {detail}",
        "If it persists, check the connection's host and login.",
    ),
    Code.WORKATO_UNREACHABLE: Entry(TRANSIENT, "no whole answer ({detail})", _WORKATO_STATUS),
    Code.WORKATO_CERTIFICATE: Entry(
        ERROR,
        "its TLS certificate is not valid here ({detail})",
        "Name the certificate authority to trust in the connection's extra (`verify`) or in REQUESTS_CA_BUNDLE, or "
        "correct the host.",
    ),
    Code.WORKATO_BUSY: Entry(TRANSIENT, "it is not available now ({detail})", _WORKATO_STATUS),
    Code.WORKATO_BAD_REQUEST: Entry(
        ERROR,
        "it does not accept the request ({detail})",
        "The API does not accept the request as documented: compare its version with docs/workato.md.",
    ),
    Code.WORKATO_UNAUTHORIZED: Entry(
        ERROR,
        "it does not know the token ({detail})",
        "The token is not known there (revoked, mistyped, or of another data centre): correct the connection.",
    ),
    Code.WORKATO_FORBIDDEN: Entry(
        ERROR,
        "the token's role does not allow it ({detail})",
        "Give the role of the token's API client the permission to list recipes, to list and get jobs, and for admin "
        "events to read the activity log.",
    ),
    Code.WORKATO_NOT_FOUND: Entry(ERROR, "the API does not find it ({detail})", _WORKATO_HOST),
    Code.WORKATO_REDIRECT: Entry(ERROR, "it redirects the request ({detail})", f"Correct the host. {_WORKATO_HOST}"),
    Code.WORKATO_REFUSED: Entry(ERROR, "it refuses the request ({detail})", "Look the status up; nothing was read."),
    Code.WORKATO_HOST_UNUSABLE: Entry(ERROR, "requests cannot be made ({detail})", "Correct the connection's host."),
    Code.WORKATO_UNDOCUMENTED: Entry(
        ERROR,
        "its answer is not as documented ({detail})",
        "Compare the version of the API with docs/workato.md, and report it.",
    ),
    Code.WORKATO_WRONG_WORKSPACE: Entry(
        ERROR,
        "the workspace is not the account's ({detail})",
        "Correct the account's user_id or source.managed_user_id, or the connection's token. Nothing was read or "
        "written.",
    ),
    Code.WORKATO_NO_RECIPES: Entry(
        ERROR,
        "the recipes cannot be seen ({detail})",
        "The role of the token's API client has access to no project: give it access to all projects whose jobs are "
        "to be replicated.",
    ),
}
