"""The steps of a slice in one process, one after the other; in a run of a DAG each is a task of its own."""

from __future__ import annotations

from dataclasses import dataclass

from job_history.accounts.account import Account
from job_history.destinations import Destination
from job_history.model.record import Record
from job_history.model.slice import Slice
from job_history.pipeline.extract import extract
from job_history.pipeline.load import load
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
from job_history.pipeline.transform import transform
from job_history.redaction import Redaction
from job_history.sources import Source
from job_history.storage import Storage


@dataclass(frozen=True)
class SliceTools:
    """Where the steps keep things, and how they work. `redaction` is made of the account's rules; None if it has none.

    `skip_delivered`: as for `load`.
    """

    staging: Storage
    ledger: Storage
    max_document_bytes: int
    redaction: Redaction | None = None
    skip_delivered: bool = False


def run_slice(
    slice_: Slice, account: Account, source: Source[Record], destination: Destination, tools: SliceTools
) -> SliceOutcome:
    """Extract, transform and load a slice. Raises what these steps raise."""
    return load_slice(slice_, account, make_documents(slice_, account, source, tools), destination, tools)


def make_documents(
    slice_: Slice, account: Account, source: Source[Record], tools: SliceTools
) -> tuple[Extracted, Transformed]:
    """Extract and transform a slice: its documents are staged, and nothing is delivered."""
    extracted = extract(slice_, account, source, tools.staging)
    transformed = transform(
        slice_,
        account,
        extracted,
        staging=tools.staging,
        ledger=tools.ledger,
        max_document_bytes=tools.max_document_bytes,
        redaction=tools.redaction,
    )
    return extracted, transformed


def load_slice(
    slice_: Slice,
    account: Account,
    documents: tuple[Extracted, Transformed],
    destination: Destination,
    tools: SliceTools,
) -> SliceOutcome:
    """Load the documents that `make_documents` returned."""
    extracted, transformed = documents
    return load(
        slice_,
        account,
        extracted=extracted,
        transformed=transformed,
        destination=destination,
        staging=tools.staging,
        ledger=tools.ledger,
        skip_delivered=tools.skip_delivered,
    )
