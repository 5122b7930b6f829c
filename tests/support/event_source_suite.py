"""What the contract tests of event sources share: the account and hour, events to store, and how a window is listed."""

from typing import Any

from tests.support.source_suite import HOUR, USER_ID

from job_history.documents.event_document import event_document_of
from job_history.documents.job_document import DocumentRules
from job_history.model.admin_event import EventRecord
from job_history.model.window import Window
from job_history.sources import Source
from simulators.job_store import SampleEvent

RULES = DocumentRules(user_id=USER_ID, prefix="", line_details=False, max_document_bytes=40_000_000)


def event(event_id: int | str | None, occurred_at: str = "2018-05-21T00:30:00Z", **fields: Any) -> SampleEvent:
    person = '{"id":1,"name":"Jane","email":"jane@example.com"}'
    plain = SampleEvent(
        user_id=USER_ID,
        event_id=event_id,
        event="user_login",
        details='{"activity":"password_login"}',
        actor=person,
        team=person,
        resource='{"type":"User","id":1}',
        occurred_at=occurred_at,
    )
    return plain._replace(**fields)


def listed(source: Source[EventRecord], window: Window = HOUR) -> list[EventRecord]:
    """List a window, after making sure that both counts say as many."""
    with source.listing(USER_ID, window, line_details=False) as listing:
        records = list(listing)
    assert (listing.counted, source.count(USER_ID, window)) == (len(records), len(records))
    return records


def ids(records: list[EventRecord]) -> list[str]:
    return sorted(str(record.event_id) for record in records)


def documents(records: list[EventRecord]) -> dict[str, bytes]:
    return {document.key: document.body for document in (event_document_of(record, RULES) for record in records)}
