"""Delivery by HTTP requests, at least once: what was acknowledged is not sent again, what may be twice is counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing
from typing import Any, Protocol

from job_history.destinations import Delivery, OnDelivery
from job_history.destinations.messages.acknowledgements import Acknowledgements
from job_history.destinations.messages.prefetch import prefetch, with_next
from job_history.destinations.messages.requests import Encoder, Request, Span, requests_of
from job_history.documents.staged import StagedDocument
from job_history.errors import ReplicationError
from job_history.progress import readable_bytes

log = logging.getLogger(__name__)


class Receiver(Protocol):
    """A client of what takes the messages. `unknown_outcomes` counts attempts that may or may not have been stored."""

    unknown_outcomes: int

    def send(self, body: bytes, key: str) -> None:
        """Send one request, compressed with gzip, until it is acknowledged. `key` is the same when it is sent again.

        Raises PermanentError or TransientError.
        """
        ...

    def description(self) -> dict[str, Any]:
        """Return type and place for receipts, without secrets; `target` names where documents go."""
        ...


class _Tally:
    """What was done; `sent_until` and `repeated_until` count messages, as `Span` does.

    `has_begun`: there may be a mark that this is under way. `known`: it is known of each request whether it was stored,
    and the acknowledgements have it.
    """

    def __init__(self) -> None:
        self.sent = self.repeated = self.skipped = 0
        self.plain_bytes = self.gzip_bytes = 0
        self.sent_until = self.repeated_until = 0
        self.has_begun, self.known = False, True

    def add(self, request: Request, *, repeated: bool) -> None:
        self.sent += 1
        self.plain_bytes += request.plain_bytes
        self.gzip_bytes += len(request.body)
        self.sent_until = request.end
        if repeated:
            self.repeated += 1
            self.repeated_until = request.end


class MessageDestination:
    """Sends documents as messages, in requests as large as the receiver takes, one after another, in the order given.

    The requests are a pure function of the documents. A document is `delivered` once all its requests are acknowledged;
    `already_present` if they were acknowledged before, so that it was not sent; `repeated`, or `repeated_before`, if
    it, or a part of it, may have been stored more than once: by an attempt, a try or a run whose outcome is unknown.
    """

    def __init__(self, receiver: Receiver, encoder: Encoder, acknowledgements: Acknowledgements) -> None:
        self._receiver = receiver
        self._encoder = encoder
        self._acknowledgements = acknowledgements
        self._has_looked = False
        self._in_receipt: AbstractSet[bytes] = frozenset()

    def description(self) -> dict[str, Any]:
        return self._receiver.description()

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        """Deliver every document. Raises PermanentError or TransientError if the receiver does not take a request, and
        what the ledger raises.
        """
        tally = _Tally()
        to_send = self._without_acknowledged(documents, on_delivery, tally)
        try:
            with closing(prefetch(requests_of(to_send, self._encoder))) as requests:
                for request, following in with_next(requests):
                    self._send(request, following, tally)
                    for span in request.completed:
                        on_delivery(span.document, self._delivery_of(span, tally))
        except ReplicationError:
            if tally.has_begun and tally.known:
                self._acknowledgements.withdraw()
            raise
        if tally.has_begun:
            self._acknowledgements.end()
        _log_results(tally)

    def _without_acknowledged(
        self, documents: Iterator[StagedDocument], on_delivery: OnDelivery, tally: _Tally
    ) -> Iterator[StagedDocument]:
        """Report the documents that were acknowledged before, and return the others."""
        for document in documents:
            self._look_first()
            if self._acknowledgements.has(document.sha256):
                tally.skipped += 1
                on_delivery(document, self._delivery_by_others(document))
            else:
                yield document

    def expect_repeats(self, of: AbstractSet[bytes]) -> None:
        """Record each of these documents (their SHA-256), which a receipt has as delivered here, as repeated if it is
        sent: the acknowledgements of the run that sent it first may have been deleted.
        """
        self._in_receipt = of

    def delivered_before(self, document: StagedDocument) -> Delivery:
        """Return how to count a document that a receipt has as delivered here: a run whose load failed since, or a load
        that was killed, may have sent it again, and is in no receipt.

        Raises what the ledger raises.
        """
        self._look_first()
        return self._delivery_by_others(document)

    def _look_first(self) -> None:
        if not self._has_looked:
            self._acknowledgements.look()
            self._has_looked = True

    def _delivery_by_others(self, document: StagedDocument) -> Delivery:
        several = self._acknowledgements.copies(document.sha256) > 1
        return Delivery.REPEATED_BEFORE if several else Delivery.ALREADY_PRESENT

    def _delivery_of(self, span: Span, tally: _Tally) -> Delivery:
        if tally.sent_until <= span.start:
            return self._delivery_by_others(span.document)
        is_repeated = (
            tally.repeated_until > span.start
            or bytes.fromhex(span.document.sha256) in self._in_receipt
            or self._acknowledgements.copies(span.document.sha256)
        )
        return Delivery.REPEATED if is_repeated else Delivery.DELIVERED

    def _send(self, request: Request, following: Request | None, tally: _Tally) -> None:
        """Send a request and record its acknowledgement, unless another load has delivered all of it by now."""
        if not tally.has_begun:
            tally.has_begun = True
            self._acknowledgements.begin(request.documents)
        if all(self._acknowledgements.has(document) for document in request.documents):
            return
        unknown_before = self._receiver.unknown_outcomes
        try:
            self._receiver.send(request.body, request.key)
        except ReplicationError:
            tally.known = self._receiver.unknown_outcomes == unknown_before
            _log_refused(request)
            raise
        tally.add(request, repeated=self._receiver.unknown_outcomes > unknown_before)
        completed = [span for span in request.completed if not self._acknowledgements.has(span.document.sha256)]
        tally.known = False
        is_new = self._acknowledgements.add(
            request.sha256,
            documents=[span.document.sha256 for span in completed],
            repeated=[s.document.sha256 for s in completed if self._delivery_of(s, tally) is Delivery.REPEATED],
            begun=request.begun.sha256 if request.begun else None,
            following=following.documents if following else [],
        )
        if not is_new:
            tally.repeated_until = request.end
        tally.known = True
        self._acknowledgements.look_again()


def _log_refused(request: Request) -> None:
    """Name the documents of a request that failed: a receiver may refuse it for one of them."""
    given = [*(span.document for span in request.completed), *([request.begun] if request.begun else [])]
    log.warning("The request that failed had %s documents, %s to %s.", f"{len(given):,}", given[0].key, given[-1].key)


def _log_results(tally: _Tally) -> None:
    log.info(
        "Sent %s requests, %s (%s with gzip); %s documents had been acknowledged before.",
        f"{tally.sent:,}",
        readable_bytes(tally.plain_bytes),
        readable_bytes(tally.gzip_bytes),
        f"{tally.skipped:,}",
    )
    if tally.repeated:
        log.warning(
            "%s requests were sent more than once, because it was unknown whether the receiver had stored them. "
            "Their messages may be there twice, under the same delivery_id: docs/sumo-logic.md has a query that leaves "
            "out the second.",
            f"{tally.repeated:,}",
        )
