"""Compares the receipts of an account with its bucket: objects that are lost or altered, and unknown objects."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

from job_history.destinations import Listable
from job_history.ledger.items import item_lists
from job_history.ledger.receipt import Receipt
from job_history.model.window import Window
from job_history.reconciliation.expected_objects import Damage, expected_objects
from job_history.reconciliation.findings import MAX_EXAMPLES, Objects, WindowFinding
from job_history.reconciliation.listings import pages
from job_history.reconciliation.unknown_objects import unknown_keys
from job_history.storage import Storage

Compared = list[tuple[WindowFinding, Receipt | None]]
OnDamage = Callable[[WindowFinding, str], None]
"""Called with each object that is lost or altered, by its window and its key; from several threads."""


class InBucket(NamedTuple):
    """The number of expected objects, and the unknown ones."""

    objects: int = 0
    unknown: Objects = Objects()


def names_objects(reported: Compared) -> bool:
    """Return whether the receipts name any object: without one, the bucket is not asked."""
    return any(receipt is not None and (receipt.items or receipt.elsewhere) for _, receipt in reported)


def compared_with_bucket(
    reported: Compared, hours: Window, bucket: Listable, ledger: Storage, *, on_damage: OnDamage, listings: Executor
) -> InBucket:
    """Count in the findings what is lost or altered. `listings` are the threads that list.

    Raises what bucket and ledger raise.
    """
    by_window = {finding.window.slug: finding for finding, _ in reported}
    with expected_objects() as expected:
        # Also for windows that are not closed: what an earlier run delivered stays there. The newest list of a window
        # is added last, and wins. Lists of other places are among `elsewhere`, unless the account has moved back since.
        lists = [
            (finding.window.slug, path)
            for finding, receipt in reported
            if receipt is not None
            for path in [*receipt.elsewhere, *reversed(receipt.items)]
        ]
        each_items = item_lists(ledger, [path for _, path in lists], bucket.description())
        for (window, _), items in zip(lists, each_items, strict=True):
            expected.add(window, items)
        for folder, objects in pages(bucket, expected.folders(), listings):
            expected.note(folder, objects)
        for damage in expected.damages():
            _add(damage, by_window[damage.window])
            on_damage(by_window[damage.window], damage.key)
        return InBucket(len(expected), unknown_keys(expected, reported, hours, bucket, ledger))


def _add(damage: Damage, finding: WindowFinding) -> None:
    finding.lost += damage.is_lost
    finding.altered += not damage.is_lost
    if len(finding.damaged_keys) < MAX_EXAMPLES:
        finding.damaged_keys.append(damage.key)
