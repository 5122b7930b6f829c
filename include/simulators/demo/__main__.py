"""`python -m simulators.demo`: start the parts, run one past hour, reconcile it, show what came of it, end by
itself.
"""

import shutil
import signal
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import wrap

from rich.console import Console

from job_history.ledger.receipt import Receipt
from simulators.demo.accounts import BUCKETS, UNLIMITED_REQUESTS_A_MINUTE
from simulators.demo.delivered import (
    destinations,
    quarantined_in,
    receipts_below,
    reconciled_below,
    run_table,
    save_objects,
)
from simulators.demo.environment import demo_environment
from simulators.demo.progress import python, run_with_progress
from simulators.demo.proof import verified, verified_with_a_flipped_byte
from simulators.end_signals import in_order_at_end_signals
from simulators.job_store import broken_jobs, demo_store, fill
from simulators.one_at_a_time import AlreadyRunningError, one_at_a_time
from simulators.project import ROOT, STATE
from simulators.s3_endpoint import S3Endpoint, local_s3
from simulators.sumo_logic import SourceProcess, source_process
from simulators.workato import workato_process

HOUR = datetime(2018, 5, 21, 0, tzinfo=UTC)
HOUR_END = HOUR + timedelta(hours=1)
HOME = STATE / "demo"
# Lines are written to fit 80 columns; what is longer (keys, a document) is left to the terminal to wrap.
console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo; return its exit code."""
    try:
        with in_order_at_end_signals(), one_at_a_time(HOME, "make demo"):
            return _run()
    except AlreadyRunningError as refused:
        print(refused, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        console.print("\nThe demo was interrupted; all its processes have ended.")
        return 128 + signal.SIGINT


def _run() -> int:
    console.print("[bold]Job History Replication: one past hour, on embedded parts[/bold]\n")
    _clear_the_last_demo()
    with local_s3(HOME / "logs") as s3, source_process() as sumo_logic:
        for bucket in BUCKETS:
            s3.create_bucket(bucket)
        store = HOME / "job_store.db"
        jobs = sum(demo_store(store, HOUR, HOUR_END).values()) + _plant_a_broken_job(store)
        console.print(f"Job store    {_shown(store)}: {jobs} jobs of 5 accounts, one of them broken")
        console.print(f"S3 endpoint  {s3.url}")
        console.print(f"             with the buckets {', '.join(BUCKETS)}")
        console.print(f"Sumo Logic   {sumo_logic.receiver_url}/...")
        with workato_process(
            store, now=HOUR_END + timedelta(hours=1), direct_limit=UNLIMITED_REQUESTS_A_MINUTE
        ) as workato:
            console.print(f"Workato API  {workato.url}/api (the jobs of Globex come through it)")
            ran = _run_the_hour(demo_environment(HOME, store, s3=s3, sumo_logic=sumo_logic, workato=workato))
        if not ran:
            return 1
        _show(s3, sumo_logic)
    return 0


def _clear_the_last_demo() -> None:
    # Airflow's own home stays: its database takes longer to make than the demo to run.
    for name in ("ledger", "staging", "delivered", "job_store.db"):
        path = HOME / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (HOME / "logs").mkdir(parents=True, exist_ok=True)


def _plant_a_broken_job(store: Path) -> int:
    """One report that is no JSON: it must end in quarantine, and hold up none of the others."""
    with closing(sqlite3.connect(store)) as connection:
        return fill(connection, "sqlite", broken_jobs("bad_json_in_report", 5234, HOUR))


def _run_the_hour(environment: dict[str, str]) -> bool:
    log = HOME / "logs" / "airflow.log"
    started = time.monotonic()
    console.print(
        f"\nAirflow runs the hour from {HOUR:%Y-%m-%d %H:%M} UTC twice, then the reconciliation.\n"
        f"The log of every task: {_shown(log)}"
    )
    log.unlink(missing_ok=True)
    for command in (
        python("airflow", "db", "migrate"),
        python("simulators.demo.run_dag", HOUR.isoformat(), HOUR_END.isoformat()),
    ):
        if run_with_progress(command, environment, log, lambda line: console.print(f"  {line}")):
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
            console.print(f"{tail}\n\nThe demo failed: see {_shown(log)}.", markup=False)
            return False
    console.print(f"Done in {time.monotonic() - started:.0f} s.")
    return True


def _show(s3: S3Endpoint, sumo_logic: SourceProcess) -> None:
    receipts = receipts_below(HOME / "ledger")
    _heading("The first run delivers")
    console.print(run_table(receipts, 0), markup=False)
    console.print(f"\n{destinations(receipts)}", markup=False)
    again = [receipt for receipt in receipts if len(receipt.runs) > 1]
    _heading("The same hour once more")
    console.print(f"{len(receipts) - len(again)} windows are complete, and left alone;")
    console.print("the window with a record in quarantine is read again:")
    console.print(run_table(again, 1), markup=False)
    _show_quarantine(receipts)
    _heading("The reconciliation")
    console.print(reconciled_below(HOME / "staging"))
    folder = HOME / "delivered"
    keys = save_objects(s3, BUCKETS, folder)
    _heading("Three of the keys")
    for bucket, key in _examples(keys, receipts):
        console.print(f"s3://{bucket}/{key}", markup=False)
    bucket, key = _examples(keys, receipts)[0]
    _heading("The first of them")
    console.print((folder / bucket / key).read_text().rstrip(), markup=False)
    _show_proof(folder, bucket, key)
    messages = [message.text for message in sumo_logic.messages()]
    (folder / "sumo_logic.jsonl").write_text("".join(f"{text}\n" for text in messages))
    _heading("Where it is")
    console.print(f"Objects      {_shown(folder)}")
    console.print(f"Messages     {len(messages)} that Sumo Logic got: {_shown(folder / 'sumo_logic.jsonl')}")
    console.print(f"Receipts     {_shown(HOME / 'ledger' / 'receipts')}")
    console.print("Not here     Azure, Google, Splunk, Datadog, HTTP: destinations, too (README.md)")
    console.print("Next         `make up` runs the same with the Airflow UI.")


def _show_proof(folder: Path, bucket: str, key: str) -> None:
    """Verify the copied buckets, and a copy of one with a flipped bit."""
    _heading("The proof, checked offline by another program")
    for name, code, found in verified(folder):
        console.print(f"{name}: exit code {code}", markup=False)
        _print_found(found)
    code, found = verified_with_a_flipped_byte(folder, bucket, key)
    console.print(f"{bucket} with one bit of a document flipped: exit code {code}", markup=False)
    _print_found(found)
    console.print(f"Check it yourself: cd {_shown(folder)}")
    console.print(f"  python3 job-history-verify.pyz {bucket} --keys allowed_signers")


def _print_found(found: str) -> None:
    """Print each line within 80 columns; a key is never broken or cut, so that it can be copied."""
    for line in found.splitlines():
        for part in wrap(line, 78, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False):
            console.print(f"  {part}", markup=False)


def _show_quarantine(receipts: list[Receipt]) -> None:
    """Name each broken record, and what a user would do about it."""
    _heading("In quarantine")
    for broken in quarantined_in(HOME / "ledger", receipts):
        console.print(f"Job {broken.job_id} of {broken.account}: {broken.why}.", markup=False)
        console.print(f"  The record is in {_shown(HOME / 'ledger' / broken.file)}.", markup=False)
    console.print("To fix it: correct the report at the source, and run the hour again. If a new")
    console.print("release or setting makes it deliverable, use `job-history redrive` instead.")


def _heading(text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


def _examples(keys: dict[str, list[str]], receipts: list[Receipt]) -> list[tuple[str, str]]:
    example = "5234/jobs/234/20180521/000/000/000/000/000/000/100/5234-234-100-20180521000000-succeeded.json"
    first = [("acme-audit", example)] if example in keys["acme-audit"] else []
    others = [
        (receipt.destination["bucket"], receipt.example_keys[0])
        for receipt in receipts
        if receipt.example_keys and receipt.destination.get("bucket") not in {None, *(bucket for bucket, _ in first)}
    ]
    return (first + others)[:3]


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
