"""How seals are signed, and where they are copied to: `[job_history] signing_conn_id`, the accounts' destinations."""

from __future__ import annotations

import functools
from threading import Condition
from typing import TYPE_CHECKING

from airflow.sdk.log import mask_secret
from cachetools import LRUCache, cached

from job_history.destinations.kind import DocumentStore, kind_of
from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.errors.finding import Finding
from job_history.http.retry import Retries
from job_history_airflow.factories.connections import connection_of_type, find_connection
from job_history_airflow.settings import SECTION, load_accounts, read_signing_conn_id
from job_history_verify.layout import SEALS

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from job_history.accounts.account import Account
    from job_history.seals.needs import AccountPlace, Sealing, Witness
    from job_history.seals.signer import Signer

WITNESS_TYPE = "sumo_logic"
_NAMED_BY = f"[{SECTION}] signing_conn_id"
# All accounts wait for a witness, and the next report shows it the heads again: at most 110 s. The source itself gives
# up on a request after 30 s.
_WITNESS_RETRIES = Retries(attempts=2, first_throttled=20.0, longest_asked=30.0)
_WITNESS_SECONDS = 40.0
_STORES_KEPT = 16
_PROBE = b"A preflight shows with this file that seals can be copied here.\n"
_PROBE_PATH = f"{SEALS}/preflight.txt"


def sealing_of_installation() -> Sealing:
    """Return what a report needs to seal. Raises nothing; what cannot be used is raised when it is needed."""
    from job_history.seals.needs import AccountPlace, Sealing, Witness

    # Chains are sealed in many threads, which wait for the one that makes what they share: the list of accounts may
    # have 50 MB, and a client takes 0.2 s and 8 MB.
    accounts = cached({}, condition=Condition())(load_accounts)
    kept = cached(
        LRUCache(_STORES_KEPT), key=lambda account: account.destination.model_dump_json(), condition=Condition()
    )
    store_of = kept(open_store)

    def place_of(user_id: int) -> AccountPlace | None:
        account = accounts().usable.get(user_id)
        if account is None:
            return None
        return AccountPlace(getattr(account.destination, "prefix", ""), functools.partial(store_of, account))

    def witness_of(user_id: int) -> Witness | None:
        account = accounts().usable.get(user_id)
        if account is None or account.witness_conn_id is None:
            return None
        return Witness(account.witness_conn_id, functools.partial(_send, account.witness_conn_id, account.label))

    return Sealing(signer_of_installation, place_of, witness_of)


def _send(conn_id: str, label: str, body: bytes) -> None:
    from job_history_airflow.hooks.sumo_logic import SumoLogicHook

    _witness_connection(conn_id, label)
    SumoLogicHook(conn_id, retries=_WITNESS_RETRIES, max_seconds=_WITNESS_SECONDS).get_conn().send(body)


def _witness_connection(conn_id: str, label: str) -> Connection:
    return connection_of_type(conn_id, WITNESS_TYPE, f"witness_conn_id of account {label}")


def open_store(account: Account) -> DocumentStore | None:
    """Return the store that an account's seals are copied to; None for a destination that keeps no objects."""
    open_ = kind_of(account).open_store
    return None if open_ is None else open_(account)


def check_signing_key() -> list[Finding]:
    """Return a warning if the key that the config names cannot be used."""
    try:
        signer = signer_of_installation()
        if signer is not None:
            signer.sign(_PROBE)
    except ReplicationError as error:
        return [finding(Code.SIGNING_KEY_UNUSABLE, f"The connection in {_NAMED_BY}", detail=error.detail or error)]
    return []


def check_witness(account: Account) -> list[Finding]:
    """Return a warning if the account's witness is no connection that takes heads. Nothing is sent."""
    try:
        if account.witness_conn_id is not None:
            _witness_connection(account.witness_conn_id, account.label)
    except ReplicationError as error:
        return [finding(Code.WITNESS_UNUSABLE, f"Account {account.label}, witness_conn_id", detail=error)]
    return []


def check_seals_can_be_copied(account: Account) -> list[Finding]:
    """Return a warning if the account's bucket takes no file beside its seals.

    The file stays: a bucket that keeps its seals lets nothing be deleted there.
    """
    from job_history.seals.bucket_copy import create_in_bucket

    try:
        store = open_store(account)
        if store is not None:
            create_in_bucket(store.storage, _PROBE_PATH, _PROBE, overwrites=store.overwrites)
    except ReplicationError as error:
        return [finding(Code.SEALS_NOT_WRITABLE, f"Account {account.label}, {SEALS}/", detail=error)]
    return []


def signer_of_installation() -> Signer | None:
    """Return the signer that the config names; None if it names none.

    Raises PermanentError or TransientError with code SIGNING_KEY_UNUSABLE if the key cannot be used.
    """
    conn_id = read_signing_conn_id()
    if conn_id is None:
        return None
    try:
        return _signer_of(find_connection(conn_id, _NAMED_BY))
    except ReplicationError as error:
        found = finding(Code.SIGNING_KEY_UNUSABLE, f"The connection in {_NAMED_BY}", detail=error)
        kind = TransientError if isinstance(error, TransientError) else PermanentError
        raise kind(str(found), code=found.code, detail=str(error), facts={"detail": str(error)}) from None


def _signer_of(connection: Connection) -> Signer:
    from job_history.seals.signer import key_signer
    from job_history_airflow.factories.kms import kms_signer

    if key_id := connection.extra_dejson.get("kms_key_id"):
        conn_id = str(connection.extra_dejson.get("aws_conn_id") or "aws_default")
        return kms_signer(str(key_id), conn_id, f"extra aws_conn_id of the connection in {_NAMED_BY}")
    key = connection.password or ""
    mask_secret(key)
    return key_signer(key)
