"""Accounts that deliver to Azure, Google, Splunk, Datadog or a plain receiver, in runs without Airflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import msgspec
from tests.support import google_storage, receivers
from tests.support.azure import ACCOUNT, KEY
from tests.support.oracle import sumo_logic_documents
from tests.support.places import Passes, watched_session

from job_history.accounts.message_settings import (
    DatadogDestinationSettings,
    HttpDestinationSettings,
    SplunkHecDestinationSettings,
)
from job_history.destinations import Destination
from job_history.destinations.messages.answers import Answers, AnySuccess, DatadogAnswers, SplunkAnswers
from job_history.destinations.messages.delivery import MessageDestination
from job_history.destinations.messages.encoders import DatadogEncoder, HttpEncoder, SplunkEncoder
from job_history.destinations.messages.receiver import Address, HttpReceiver
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.errors.masking import secret_masker
from job_history.http.retry import Retries
from job_history.http.session import http_session
from job_history.ledger.acknowledgements import Acknowledgements
from job_history.model.slice import Slice
from job_history.storage.object_store.access import StoreAccess
from job_history.storage.object_store.container import Container, open_container

OBJECT_STORES = ("azure_blob", "google_storage")
RECEIVERS = ("splunk_hec", "datadog", "http")
NAMES = {
    "azure_blob": "Azure",
    "google_storage": "Google",
    "splunk_hec": "Splunk",
    "datadog": "Datadog",
    "http": "a receiver of HTTP",
}
FAST = (0.001, 0.002)
_SETTINGS: dict[str, Callable[[], Any]] = {
    "splunk_hec": lambda: SplunkHecDestinationSettings(type="splunk_hec", conn_id="c", max_event_bytes=1_000_000),
    "datadog": lambda: DatadogDestinationSettings(type="datadog", conn_id="c"),
    "http": lambda: HttpDestinationSettings(type="http", conn_id="c"),
}
_ENCODERS: dict[str, Callable[[Any], Any]] = {
    "splunk_hec": SplunkEncoder,
    # Of few entries a request, so that an hour is several requests, as it is for the others.
    "datadog": lambda settings: DatadogEncoder(settings, framing=_framing_of_few()),
    "http": HttpEncoder,
}
_ANSWERS: dict[str, Answers] = {"splunk_hec": SplunkAnswers(), "datadog": DatadogAnswers(), "http": AnySuccess()}
_PATHS = {"splunk_hec": receivers.SPLUNK_PATH, "datadog": receivers.DATADOG_PATH, "http": receivers.HTTP_PATH}


def _framing_of_few() -> Any:
    framing = DatadogEncoder(_SETTINGS["datadog"]()).framing
    return msgspec.structs.replace(framing, max_batch_messages=4)


@dataclass(frozen=True)
class OtherDestination:
    """A destination as plain values, so that it can be handed to another process."""

    kind: str
    url: str
    container: str = ""

    @property
    def keeps_objects(self) -> bool:
        return self.kind in OBJECT_STORES

    def settings(self) -> dict[str, Any]:
        """Return the `destination` of an account."""
        names = {"azure_blob": {"container": self.container}, "google_storage": {"bucket": self.container}}
        return {"type": self.kind, "conn_id": "c", **names.get(self.kind, {})}

    def opened(self, prefix: str = "") -> Container:
        """Return a client of the container, which retries as the one of a ledger does."""
        is_azure = self.kind == "azure_blob"
        given = {"access_key": KEY} if is_azure else {"token": google_storage.TOKEN}
        access = StoreAccess(
            container=self.container,
            url=self.url,
            account=ACCOUNT if is_azure else "",
            credentials=lambda: {**given, "expires_at": None},
            mask=secret_masker(*given.values()),
        )
        return open_container(self.kind, access, prefix=prefix, attempts=5 if prefix else 1)

    def open(self, slice_: Slice, ledger: Any, passes: Passes = lambda _: None, *, repair: bool = False) -> Destination:
        if self.keeps_objects:
            return ObjectStoreDestination(self.opened(), in_flight=1, waits=FAST, repair=repair)
        authorization = {"DD-API-KEY": receivers.TOKEN}
        if self.kind != "datadog":
            authorization = {
                "Authorization": f"{'Splunk' if self.kind == 'splunk_hec' else 'Bearer'} {receivers.TOKEN}"
            }
        address = Address(
            name=f"the receiver {self.kind}",
            type=self.kind,
            url=self.url + _PATHS[self.kind],
            conn_id="c",
            headers=authorization,
            secrets=(receivers.TOKEN,),
            idempotent=self.kind == "http",
            key_suffix=f"#repair-{slice_.run}" if repair else "",
            answers=_ANSWERS[self.kind],
        )
        session = watched_session(http_session(), passes)
        retries = Retries(attempts=3, first_throttled=1.0)
        client = HttpReceiver(address, session, retries=retries, sleep=lambda _: None)
        encoder = _ENCODERS[self.kind](_SETTINGS[self.kind]())
        return MessageDestination(client, encoder, Acknowledgements(ledger, slice_, address.target, repair=repair))


def documents_in(stored: list[str]) -> dict[str, bytes]:
    """Return the documents that the texts at a receiver carry; a repeat must be one byte for byte."""
    return sumo_logic_documents([SimpleNamespace(text=_message(text)) for text in stored])  # type: ignore[misc]


def _message(text: str) -> str:
    entry = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    return bytes(entry["job_history"]).decode() if "job_history" in entry else text
