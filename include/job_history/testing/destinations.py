"""What a destination must do, as tests that pytest runs in a subclass: one suite for every kind, one for stores.

A subclass defines `destination` and `stored`; docs/add-a-destination.md has an example.
"""

from __future__ import annotations

import hashlib
import os
import signal
from abc import abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from job_history.destinations import Delivery, Destination
from job_history.documents.staged import StagedDocument


def document(number: int, title: str = "Grüße, 世界") -> StagedDocument:
    """Return a small document; `title` changes its bytes and not its key."""
    body = msgspec.json.encode({"id": number, "title": title})
    return StagedDocument(
        key=f"5234/jobs/234/20180521/5234-234-{number}-20180521000000-succeeded.json",
        job_id=number,
        completed_at="2018-05-21T00:00:10Z",
        sha256=hashlib.sha256(body + b"\n").hexdigest(),
        body=msgspec.Raw(body),
    )


def deliver(destination: Destination, *documents: StagedDocument) -> dict[str, Delivery]:
    """Deliver, and return the outcome of each key. Fails if one is reported twice, or not at all."""
    reported: list[tuple[str, Delivery]] = []
    destination.deliver(iter(documents), lambda given, delivery, *_: reported.append((given.key, delivery)))
    assert sorted(key for key, _ in reported) == sorted(given.key for given in documents)
    return dict(reported)


class DestinationContract:
    """Tests of any kind, such as one that sends messages. Each test begins with a place that holds nothing."""

    @abstractmethod
    def destination(self, **options: Any) -> Destination:
        """Open the place. Options: `repair` and `dry_run`, both False if they are left out."""

    @abstractmethod
    def stored(self) -> dict[str, bytes]:
        """Return the documents that the place holds, by key, read by other code than the kind's.

        Of a place that may hold a document twice, each once.
        """

    def test_a_document_is_stored_under_its_key_byte_for_byte(self) -> None:
        assert deliver(self.destination(), document(1)) == {document(1).key: Delivery.DELIVERED}
        assert self.stored() == {document(1).key: document(1).content()}

    def test_each_of_many_documents_is_reported_once_and_stored(self) -> None:
        everything = [document(number, "Grüße, 世界" * number) for number in range(300)]
        assert set(deliver(self.destination(), *everything).values()) == {Delivery.DELIVERED}
        assert self.stored() == {each.key: each.content() for each in everything}

    def test_nothing_to_deliver_is_no_error(self) -> None:
        assert deliver(self.destination()) == {}

    def test_an_error_of_the_documents_ends_the_delivery(self) -> None:
        """The file of staged documents may be damaged: what it raises is not the destination's to catch."""

        def damaged() -> Iterator[StagedDocument]:
            yield document(1)
            raise LookupError("damaged")

        try:
            self.destination().deliver(damaged(), lambda *_: None)
        except (LookupError, ExceptionGroup):  # a group: of a kind that works on many at once
            return
        raise AssertionError("the error was lost")

    def test_after_a_kill_the_next_delivery_completes_the_place(self) -> None:
        """SIGKILL in a child process, after it has taken 20 of 40 documents."""
        everything = [document(number) for number in range(40)]
        child = os.fork()
        if child == 0:
            self.destination().deliver(_killed_after(20, everything), lambda *_: None)
            os._exit(1)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        expected = {each.key: each.content() for each in everything}
        assert self.stored().items() <= expected.items()

        outcomes = set(deliver(self.destination(), *everything).values())

        assert outcomes <= {Delivery.DELIVERED, Delivery.ALREADY_PRESENT, Delivery.REPEATED}
        assert self.stored() == expected

    def test_the_description_has_a_type_and_is_json(self) -> None:
        description = self.destination().description()
        assert description["type"]
        assert msgspec.json.decode(msgspec.json.encode(description)) == description


class StoreContract(DestinationContract):
    """Tests of a kind that recognises repeats: `readable` and `recognises_repeats`."""

    def test_the_same_document_again_is_already_present(self) -> None:
        deliver(self.destination(), document(1))
        assert deliver(self.destination(), document(1)) == {document(1).key: Delivery.ALREADY_PRESENT}

    def test_other_bytes_under_the_key_are_a_conflict_and_stay(self) -> None:
        for title in ("hello", "HELLO", "hello!"):
            expected = Delivery.CONFLICT if self.stored() else Delivery.DELIVERED
            assert set(deliver(self.destination(), document(1, title)).values()) == {expected}
        assert self.stored() == {document(1).key: document(1, "hello").content()}

    def test_deliveries_at_the_same_time_create_each_document_once(self) -> None:
        everything = [document(number) for number in range(50)]
        with ThreadPoolExecutor(3) as pool:
            reports = list(pool.map(lambda _: deliver(self.destination(), *everything), range(3)))
        delivered = [key for report in reports for key, found in report.items() if found is Delivery.DELIVERED]
        assert sorted(delivered) == sorted(each.key for each in everything)
        assert self.stored() == {each.key: each.content() for each in everything}

    def test_repair_replaces_what_differs_and_nothing_else(self) -> None:
        deliver(self.destination(), document(1, "hello"), document(2))
        reported = deliver(self.destination(repair=True), document(1), document(2), document(3))
        assert list(dict(sorted(reported.items())).values()) == [
            Delivery.DELIVERED,
            Delivery.ALREADY_PRESENT,
            Delivery.DELIVERED,
        ]
        assert self.stored() == {document(number).key: document(number).content() for number in (1, 2, 3)}

    def test_a_dry_run_reports_and_writes_nothing(self) -> None:
        deliver(self.destination(), document(1), document(2, "hello"))
        before = self.stored()
        reported = deliver(self.destination(dry_run=True), document(1), document(2), document(3))
        assert list(dict(sorted(reported.items())).values()) == [
            Delivery.ALREADY_PRESENT,
            Delivery.CONFLICT,
            Delivery.DELIVERED,
        ]
        assert self.stored() == before


def _killed_after(count: int, documents: list[StagedDocument]) -> Iterator[StagedDocument]:
    yield from documents[:count]
    os.kill(os.getpid(), signal.SIGKILL)
