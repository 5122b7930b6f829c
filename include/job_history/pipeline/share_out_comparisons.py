"""Shares the accounts of a reconciliation out to its tasks, so that none is left out day after day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from job_history.accounts.account import Account
from job_history.model.window import Window
from job_history.pipeline.comparison_files import AccountToCompare, Comparison
from job_history.pipeline.packing import Limits, Load, pack

_NO_LIMIT = 1 << 60


def share_out(
    hours: Window,
    accounts: Iterable[Account],
    *,
    behind: Mapping[int, Window],
    day: date,
    at_most: int,
    tasks: int,
) -> list[Comparison]:
    """Return what each task compares: accounts of one source and bucket together where that can be.

    Each has at most `at_most` accounts, or more if that makes more than `tasks` tasks: Airflow maps no more, and an
    account without a task would not be compared. `behind`: the hours of accounts, by user_id, that were not compared
    the last time. A task begins with those that were compared the longest time ago, because its time may not suffice
    for all; each day another one of the rest is the first.
    """
    several = list(accounts)

    def turn(account: Account) -> tuple[datetime, bytes]:
        return behind.get(account.user_id, hours).start, hashlib.sha256(
            f"{account.user_id} {day.isoformat()}".encode()
        ).digest()

    limits = Limits(jobs=0, accounts=max(at_most, -(-len(several) // tasks)), seconds=_NO_LIMIT)
    convoys, _ = pack(
        several,
        lambda each: Load(
            each.user_id,
            jobs=0,
            seconds=0,
            together=f"{each.source.model_dump_json()} {each.destination.model_dump_json()}",
        ),
        limits,
    )
    return [
        Comparison(
            number,
            hours,
            [AccountToCompare(each.user_id, each.name, behind.get(each.user_id)) for each in sorted(convoy, key=turn)],
        )
        for number, convoy in enumerate(convoys, start=1)
    ]
