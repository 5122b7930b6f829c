"""What the demo left at its destinations, and how it is shown."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from job_history.ledger.quarantine import QuarantineEntry
from job_history.ledger.receipt import Counts, Receipt, RunEntry
from job_history.ledger.receipt_files import receipt_files
from job_history.ledger.receipt_store import read_by_files
from job_history.progress import readable_bytes
from job_history.reconciliation.findings import Findings
from job_history.storage import local_storage
from job_history.storage.staging import staged_records
from job_history.tables import text_table
from simulators.s3_endpoint import S3Endpoint


def receipts_below(ledger: Path) -> list[Receipt]:
    """Every receipt of the ledger, by account and kind of event."""
    storage = local_storage(ledger)
    files = receipt_files(storage.paths("receipts"))
    return [receipt for receipt in read_by_files(storage, [files[folder] for folder in sorted(files)]) if receipt]


def reconciled_below(staging: Path) -> str:
    """Say what the reconciliation compared and found."""
    found = [
        msgspec.json.decode(path.read_bytes(), type=Findings) for path in sorted(staging.glob("runs/*/findings-*.json"))
    ]
    windows, objects = sum(each.compared for each in found), sum(each.objects for each in found)
    reported = [finding for each in found for finding in each.windows]
    verdict = f"{len(reported)} windows differ." if reported else "Nothing is missing, lost or altered."
    return f"{windows} windows compared with their sources, {objects} objects with their buckets.\n{verdict}"


def run_table(receipts: list[Receipt], run_number: int) -> str:
    """One run of the hour, a row for each account and kind of event, at most 80 columns wide."""
    return text_table(
        ["account", "counted", "delivered", "present", "filtered", "quarantined"],
        [_row(receipt.label, receipt.runs[run_number].counts) for receipt in receipts],
    )


def destinations(receipts: list[Receipt]) -> str:
    """Where each account's documents are, and how fast they went there."""
    return text_table(
        ["account", "destination", "size", "objects/s"],
        [
            [
                receipt.label,
                _destination(receipt),
                readable_bytes(receipt.runs[0].counts.bytes),
                _rate(receipt.runs[0]),
            ]
            for receipt in receipts
        ],
    )


class Broken(NamedTuple):
    """A record in quarantine."""

    account: str
    job_id: str
    why: str
    file: str


def quarantined_in(ledger: Path, receipts: list[Receipt]) -> list[Broken]:
    """The records that the newest receipts have in quarantine."""
    storage = local_storage(ledger)
    return [
        Broken(receipt.label, str(entry.job_id), entry.explanation, path)
        for receipt in receipts
        for path in receipt.quarantine
        for entry in staged_records(storage, path, QuarantineEntry)
    ]


def save_objects(s3: S3Endpoint, buckets: tuple[str, ...], folder: Path) -> dict[str, list[str]]:
    """Copy every object into `folder/bucket/key`, and return the keys by bucket."""
    client = s3.client()
    keys: dict[str, list[str]] = {}
    for bucket in buckets:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys[bucket] = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        for key in keys[bucket]:
            path = folder / bucket / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    return keys


def _destination(receipt: Receipt) -> str:
    destination = receipt.destination
    return f"{destination['type']} {destination.get('bucket', destination.get('X-Sumo-Category', ''))}"


def _row(label: str, counts: Counts) -> list[object]:
    return [
        label,
        counts.counted,
        counts.delivered,
        counts.already_present,
        sum(counts.filtered.values()),
        sum(counts.quarantined.values()),
    ]


def _rate(run: RunEntry) -> str:
    handled, seconds = run.counts.delivered + run.counts.already_present, run.seconds.get("load")
    return f"{handled / seconds:,.0f}" if handled and seconds else "-"
