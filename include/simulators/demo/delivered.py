"""What the demo left at its destinations, and how it is shown."""

from pathlib import Path

import msgspec
from rich.table import Table

from job_history.ledger.receipt import Counts, Receipt
from job_history.ledger.receipt_store import read_by_files, receipt_files
from job_history.progress import readable_bytes
from job_history.reconciliation.findings import Findings
from job_history.storage import local_storage
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
    return f"{windows} windows compared with their sources, {objects} objects with their buckets. {verdict}"


def run_table(title: str, receipts: list[Receipt], run_number: int) -> Table:
    """One run of the hour as a table, a row for each account and kind of event."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in (
        "account",
        "destination",
        "counted",
        "delivered",
        "present",
        "filtered",
        "quarantined",
        "bytes",
        "objects/s",
    ):
        table.add_column(
            heading,
            justify="left" if heading in {"account", "destination"} else "right",
            no_wrap=heading == "account",
        )
    for receipt in receipts:
        run = receipt.runs[run_number]
        table.add_row(receipt.label, _destination(receipt), *_cells(run.counts, run.seconds))
    return table


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


def _cells(counts: Counts, seconds: dict[str, float]) -> list[str]:
    handled = counts.delivered + counts.already_present
    rate = f"{handled / seconds['load']:,.0f}" if handled and seconds.get("load") else "-"
    numbers = [
        counts.counted,
        counts.delivered,
        counts.already_present,
        sum(counts.filtered.values()),
        sum(counts.quarantined.values()),
    ]
    return [*(f"{number:,}" for number in numbers), readable_bytes(counts.bytes), rate]
