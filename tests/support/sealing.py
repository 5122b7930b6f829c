"""Reports that seal: their receipts, item lists and documents are real, the source and the tasks are left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.sealed_archive import HOUR, START, allowed_signers, job_document, key_pair
from tests.support.verifying import Verified, verified

from job_history.destinations.kind import DocumentStore
from job_history.errors import ReplicationError
from job_history.ledger.item import Item
from job_history.ledger.items import ListHeader, item_writer, new_list_path
from job_history.ledger.merge import hash_of_lists
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import window_folder
from job_history.ledger.receipt_store import Recorded, record
from job_history.ledger.status_file import AccountStatus, Status, rewrite_status
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.seals.needs import AccountPlace, Sealing, SealReport, Witness
from job_history.seals.sealing import SealsOfRun, later_head
from job_history.seals.signer import KeySigner, Signer
from job_history.storage import Storage, local_storage
from job_history_verify.allowed_signers import parse_allowed_signers

USER_ID = 5234
SEALS = "_control/seals/5234/jobs"
KEYS = parse_allowed_signers(allowed_signers(key_pair()))
S3 = {"type": "s3", "bucket": "acme-audit", "host": "s3.eu-central-1.amazonaws.com", "write_mode": "create_only"}


def window_of(hour: int) -> Window:
    return Window(START + hour * HOUR, START + (hour + 1) * HOUR)


def jobs_of(hour: int, *numbers: int, note: str = "") -> dict[str, bytes]:
    return dict(job_document(number, START + hour * HOUR + timedelta(minutes=5), note=note) for number in numbers)


@dataclass
class Installation:
    """A ledger, and the bucket of one account, as folders. `signer` and `bucket` may be replaced, also to fail."""

    folder: Path
    prefix: str = ""
    description: dict[str, str] = field(default_factory=lambda: dict(S3))
    signer: Callable[[], Signer | None] = lambda: KeySigner(key_pair())
    storage_of: Callable[[Path], Storage] = local_storage
    now: datetime = START + timedelta(days=1)
    bucket_error: ReplicationError | None = None
    witness: Witness | None = None

    def __post_init__(self) -> None:
        self.ledger = self.storage_of(self.folder / "ledger")
        self.copy = self.folder / "bucket" / self.prefix if self.prefix else self.folder / "bucket"
        self.bucket = self.storage_of(self.copy)

    @property
    def sealing(self) -> Sealing:
        return Sealing(self.signer, lambda _: AccountPlace(self.prefix, self._opened), lambda _: self.witness)

    def _opened(self) -> DocumentStore | None:
        if self.bucket_error is not None:
            raise self.bucket_error
        if "bucket" not in self.description:
            return None
        return DocumentStore(self.bucket, overwrites=False, description=self.description)

    def deliver(self, documents: dict[str, bytes]) -> None:
        for key, body in documents.items():
            self.bucket.write(key, body)

    def receipt(
        self,
        hour: int,
        documents: dict[str, bytes],
        run: str,
        *,
        state: WindowState = WindowState.COMPLETE,
        repair: bool = False,
        late: int = 0,
    ) -> Receipt:
        """Make the receipt of a run that delivered these documents, with its item list."""
        window, paths = window_of(hour), []
        if documents:
            paths = [new_list_path(window_folder(USER_ID, EventKind.JOBS, window), run, "0001")]
            header = ListHeader(USER_ID, EventKind.JOBS, window, self.description)
            with item_writer(self.ledger, paths[0], header) as items:
                for key, body in documents.items():
                    stored = f"{self.prefix}/{key}" if self.prefix else key
                    sha256 = hashlib.sha256(body).hexdigest()
                    completed = format_time(window.start + timedelta(minutes=5))
                    number = key.rpartition("/")[2].split("-")[2]
                    items.append(Item(number, completed, Outcome.DELIVERED, key=stored, sha256=sha256, bytes=len(body)))
        count = len(documents)
        counts = Counts(counted=count, listed=count, delivered=count, late=late)
        finished = format_time(self.now)
        return Receipt(
            user_id=USER_ID,
            name="Acme",
            window=window,
            state=state,
            counts=counts,
            gap=0,
            read_at=finished,
            settings_hash="0" * 16,
            code_version="0",
            destination=self.description,
            items=paths,
            runs=[RunEntry(run, finished, state, counts, [], {}, hash_of_lists(paths), repair=repair)],
        )

    def report(self, receipts: Iterable[Receipt], *, with_status: bool = True) -> SealReport:
        """Record and seal, as a report does."""
        seals = SealsOfRun(self.ledger, self.sealing)
        recorded: list[Recorded] = [record(self.ledger, each) for each in receipts]
        report = seals.seal(recorded, self.now)
        if with_status:
            rewrite_status(self.ledger, lambda before: self._status(before, report))
        return report

    def run(
        self, hour: int, documents: dict[str, bytes], run: str = "run", *, state: WindowState = WindowState.COMPLETE
    ) -> SealReport:
        """Deliver documents of an hour, and report it an hour after the report before."""
        self.now += HOUR
        self.deliver(documents)
        return self.report([self.receipt(hour, documents, f"{run}-{hour}", state=state)])

    def _status(self, before: Status | None, report: SealReport) -> Status:
        status = before or Status(generated_at=datetime.now(UTC))
        status.generated_at, status.unsealed = datetime.now(UTC), report.unsealed
        for key, head in report.heads.items():
            account = status.accounts.setdefault(key, AccountStatus(user_id=USER_ID, kind=EventKind.JOBS))
            account.seals = later_head(account.seals, head)
        return status

    def verified(self, **options: object) -> Verified:
        """Verify the bucket."""
        return verified(self.copy, KEYS, **options)  # type: ignore[arg-type]

    def ledger_verified(self) -> Verified:
        """Verify the ledger: its receipts are held against the seals; documents are elsewhere."""
        return verified(self.folder / "ledger", KEYS, place="none")
