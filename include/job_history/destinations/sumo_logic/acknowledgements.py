"""What a source has acknowledged of a slice, so that a later try of the task leaves it out.

An empty file a batch, in the slice's staging folder, whose name is all there is to know: written once, never half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from job_history.destinations.sumo_logic.batches import Batch
from job_history.destinations.sumo_logic.endpoint import Endpoint
from job_history.storage import Storage

_UNDER_WAY = "under-way"


def target_of(endpoint: Endpoint, headers: Mapping[str, str]) -> str:
    """Return a name for where, and under which headers, documents go: the same for the same, and no secret."""
    target = msgspec.json.encode([endpoint.url, endpoint.token, dict(headers)], order="deterministic")
    return hashlib.sha256(target).hexdigest()[:16]


class Acknowledgements:
    """The acknowledgements of one slice's batches by one source, under one set of headers.

    A batch is known by its number and the SHA-256 of its bytes: other documents, or another `max_message_bytes`, make
    other batches. Another URL or other headers make other acknowledgements, so nothing that one source has is taken for
    being in another.
    """

    def __init__(self, staging: Storage, slice_folder: str, endpoint: Endpoint, headers: Mapping[str, str]) -> None:
        self._staging = staging
        self._folder = f"{slice_folder}/acknowledged/{target_of(endpoint, headers)}"
        self._names: set[str] = set()

    def begin(self) -> bool:
        """Read what is there, and note that a try is under way.

        Returns whether an earlier one left no note of its end: then the batch after its last acknowledged one may
        have been stored as well.
        """
        self._names = {path.rpartition("/")[2] for path in self._staging.paths(self._folder)}
        self._staging.write(self._path(_UNDER_WAY), b"")
        return _UNDER_WAY in self._names

    def end(self) -> None:
        """Note that no request is left of which it is unknown whether it was stored."""
        self._staging.delete(self._path(_UNDER_WAY))

    def __contains__(self, batch: Batch) -> bool:
        return _name(batch.number, batch.sha256) in self._names

    def has_another(self, batch: Batch) -> bool:
        """Say whether a batch of this number was acknowledged with other bytes: then documents have moved between
        them.
        """
        return any(name.startswith(f"{batch.number:06d}-") for name in self._names) and batch not in self

    def add(self, number: int, sha256: str) -> None:
        self._staging.write(self._path(_name(number, sha256)), b"")

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"


def _name(number: int, sha256: str) -> str:
    return f"{number:06d}-{sha256}"
