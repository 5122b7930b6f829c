"""What can be wrong with the ledger, or with what a run finds when it compares its result with the ledger."""

from __future__ import annotations

from job_history.errors.code import Code
from job_history.errors.entry import ERROR, WARNING, Entry

# Never only the one file: a receipt that names a list which is not there is an error too.
_RESTORE = (
    "Restore it from a backup or from an earlier version of the object. If there is none and it belongs to a window, "
    "move the window's folder out of the ledger and run the window again: what its source still lists is compared with "
    "the destination. Any other file: move it out of the ledger."
)

LEDGER_FINDINGS: dict[Code, Entry] = {
    Code.LEDGER_FILE_DAMAGED: Entry(
        ERROR,
        "the file cannot be decoded ({detail})",
        _RESTORE,
    ),
    Code.LEDGER_FILE_MISSING: Entry(
        ERROR,
        "a receipt names the file, and it is not there",
        _RESTORE,
    ),
    Code.LEDGER_NOT_SHARED: Entry(
        ERROR,
        "this worker, {here}, does not have the ledger of {there}, where the run was planned: {path}, which the plan "
        "wrote, is not there ({detail})",
        "Set `[job_history] ledger_path` to a folder or bucket that all workers and the API server share: "
        "operations.md#several-workers. Then clear the run's `plan` and what is downstream.",
    ),
    Code.LEDGER_TOO_NEW: Entry(
        ERROR,
        "the file has version {version}, and this release knows versions up to {known}, so nothing was written",
        "A newer release has written it. Install that release, or a later one, on this machine too.",
    ),
    Code.LEDGER_NOT_CREATE_ONLY: Entry(
        ERROR,
        "the store does not honour create-only writes (If-None-Match): {detail}. Two runs could overwrite each other's "
        "receipts, so nothing was planned",
        "Point `[job_history] ledger_path` and `staging_path` at a store that does: Amazon S3, or a folder that all "
        "workers share. On Ceph RGW, take a bucket without versioning.",
    ),
    Code.SOURCE_SHRANK: Entry(
        ERROR,
        "the source listed {listed} records, and {before} before. What was delivered stays where it is and on record",
        "Find out why the source lists so few: its retention, a changed view, a lost permission. If it is intended, a "
        "run of the hour with `accept_fewer` ends this error; without, each further run of it fails.",
    ),
    Code.SEALS_CUT: Entry(
        ERROR,
        "the account's bucket had {before} seals, and has {now}",
        "They were copied again. Find out who deletes below `_control/`: a lifecycle rule, or a person. docs/proof.md "
        "has a bucket policy that forbids it.",
    ),
    Code.SEALS_LOST: Entry(
        ERROR,
        "`_control/status.json` names seal {before}, and the ledger has {now} seals; the account's bucket lacks the "
        "others too. Nothing was sealed: the chain would have two seals of one number",
        "Restore the seals from a backup or an earlier version of the ledger. If they are lost for good, delete "
        "`_control/status.json`, which is built again. The chain goes on, and the head of a lost seal shows the loss.",
    ),
    Code.SEALS_OF_ANOTHER: Entry(
        ERROR,
        "the seal there is not one of this ledger, so nothing was written over it",
        "Another installation seals into the same place, or the file was changed. Give each installation a bucket or "
        "a prefix of its own, or restore the file from the ledger. Do not delete seals before you know which it is.",
    ),
    Code.SEALS_NOT_WRITABLE: Entry(
        WARNING,
        "seals cannot be copied there: {detail}",
        "Let the connection create objects below `_control/seals/`. Documents are delivered and sealed in the ledger; "
        "the bucket has no proof of its own until then.",
    ),
    Code.SIGNING_KEY_UNUSABLE: Entry(
        WARNING,
        "the key that signs seals cannot be used: {detail}",
        "Correct the connection that `[job_history] signing_conn_id` names; docs/proof.md describes it. Windows are "
        "delivered and wait for their seals; the next report seals them.",
    ),
    Code.WITNESS_UNUSABLE: Entry(
        WARNING,
        "the heads of its seals cannot be sent to its witness: {detail}",
        "Name a connection of type `sumo_logic`, or leave `witness_conn_id` empty. Windows are delivered and sealed "
        "without it, too; without a witness a log whose end is cut off is not noticed.",
    ),
}
