"""Shows the heads of chains to witnesses, so that a log whose end is cut off is noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from job_history.errors import ReplicationError
from job_history.seals.needs import NoTimeError, Sealing, SealReport, Witness
from job_history.seals.order import turn_of
from job_history.storage import at_once
from job_history_verify.layout import ChainId

MAX_SECONDS_FOR_WITNESSES = 120.0
"""The status and the notifications of all accounts wait for it."""


def show_to_witnesses(
    sealing: Sealing, report: SealReport, chains: list[ChainId], now: datetime, clock: Callable[[], float]
) -> None:
    """Send the heads of these chains to their accounts' witnesses, each hour in another order; what fails is a warning.

    No message is begun after `MAX_SECONDS_FOR_WITNESSES`. The next report sends the chains' newer heads, which name
    these seals, too.
    """
    end = clock() + MAX_SECONDS_FOR_WITNESSES
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

    def show(name: str) -> str | None:
        witness, lines = messages[name]
        try:
            if clock() >= end:
                raise NoTimeError("other witnesses did not answer for too long. The next report shows them.")
            witness.send(b"\n".join([*lines, b""]))
        except ReplicationError as error:
            return f"The witness {name!r} did not take the heads of {len(lines)} chains: {error}"
        return None

    report.warnings += filter(None, at_once(show, sorted(messages, key=lambda name: turn_of(name, now))))
