"""Shows the heads of chains to witnesses, so that a log whose end is cut off is noticed."""

from __future__ import annotations

import msgspec

from job_history.errors import ReplicationError
from job_history.seals.needs import Sealing, SealReport, Witness
from job_history_verify.layout import ChainId


def show_to_witnesses(sealing: Sealing, report: SealReport, chains: list[ChainId]) -> None:
    """Send the heads of these chains to their accounts' witnesses; what fails is a warning."""
    messages: dict[str, tuple[Witness, list[bytes]]] = {}
    for chain in chains:
        head = report.heads.get(str(chain))
        try:
            witness = sealing.witness_of(chain.user_id)
        except ReplicationError as error:
            report.warnings.append(f"Account {chain}: its witness cannot be used: {error}")
            continue
        if witness is not None and head is not None:
            line = {"user_id": chain.user_id, "kind": chain.kind, "seq": head.seq, "sha256": head.sha256}
            encoded = msgspec.json.encode({"type": "job-history/head/v1", **line})
            messages.setdefault(witness.name, (witness, []))[1].append(encoded)
    for witness, lines in messages.values():
        try:
            witness.send(b"\n".join([*lines, b""]))
        except ReplicationError as error:
            report.warnings.append(
                f"The witness {witness.name!r} did not take the heads of {len(lines)} chains: {error}"
            )
