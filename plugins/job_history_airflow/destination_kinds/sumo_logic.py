"""An HTTP source of Sumo Logic as a kind of destination."""

from __future__ import annotations

from datetime import UTC, datetime

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import SumoLogicDestinationSettings
from job_history.destinations import Destination
from job_history.destinations.kind import DestinationKind, Opening
from job_history.model.place import Place
from job_history.preflight.check import Check


def _open(account: Account, opening: Opening) -> Destination:
    from job_history_airflow.factories.destinations import sumo_logic_destination

    return sumo_logic_destination(
        account,
        opening.slice,
        ledger=opening.ledger,
        max_message_bytes=opening.max_message_bytes,
        repair=opening.repair,
    )


def _check(account: Account) -> Check:
    from job_history.preflight.sumo_logic import check_sumo_logic
    from job_history_airflow.factories.destinations import http_source

    source = http_source(account)
    return lambda: check_sumo_logic(source, account=account, now=datetime.now(UTC))


def _place(account: Account) -> Place:
    from job_history.destinations.sumo_logic import target_of
    from job_history_airflow.factories.destinations import http_source

    source = http_source(account)
    return Place("sumo_logic", None, target_of(source.endpoint, source.headers))


KIND = DestinationKind(
    name="sumo_logic",
    title="Sumo Logic HTTP source",
    settings=SumoLogicDestinationSettings,
    connection_types=("sumo_logic",),
    open=_open,
    check=_check,
    place=_place,
)
