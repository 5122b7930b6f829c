"""Place: the store that a destination's documents are in, as receipts and item lists describe it.

Every part of the project that compares two destinations does it by `Place.is_same`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The DNS suffixes of the partitions, as botocore's `partitions.json` has them. In each partition a bucket's name is
# unique. `amazonaws.com` also has the hosts of aws-us-gov.
_PARTITIONS = {
    "amazonaws.com": "aws",
    "api.aws": "aws",
    "amazonaws.com.cn": "aws-cn",
    "api.amazonwebservices.com.cn": "aws-cn",
    "amazonaws.eu": "aws-eusc",
    "api.amazonwebservices.eu": "aws-eusc",
    "c2s.ic.gov": "aws-iso",
    "api.aws.ic.gov": "aws-iso",
    "sc2s.sgov.gov": "aws-iso-b",
    "api.aws.scloud": "aws-iso-b",
    "cloud.adc-e.uk": "aws-iso-e",
    "api.cloud-aws.adc-e.uk": "aws-iso-e",
    "csp.hci.ic.gov": "aws-iso-f",
    "api.aws.hci.ic.gov": "aws-iso-f",
}
# Regional, FIPS, dual-stack, accelerated and VPC hosts of S3, with what may stand before them; not the hosts of load
# balancers and machines, which end in the same suffixes and may be another store.
_AWS_HOST = re.compile(
    r"(?:[a-z0-9-]+\.)*(?P<service>s3(?:[a-z-][a-z0-9-]*)?(?:\.dualstack)?(?:\.[a-z]+(?:-[a-z0-9]+)+)?)(?:\.vpce)?"
    rf"\.(?P<suffix>{'|'.join(map(re.escape, _PARTITIONS))})"
)


@dataclass(frozen=True)
class Place:
    """`store`: an AWS partition, or host and port; None if the description is of a release that did not name it.

    `name`: the bucket, or the target of a message destination; None if the description names none, as one of no
    documents may.
    """

    type: str
    store: str | None
    name: str | None

    def is_same(self, other: Place) -> bool:
        """Return whether both are the same store; a description without a host is of any store with this bucket."""
        if self.name is None or (self.type, self.name) != (other.type, other.name):
            return False
        return None in {self.store, other.store} or self.store == other.store


def place_of(description: Mapping[str, Any]) -> Place:
    """Return the place of a destination's description.

    A window that was delivered to several destinations is in a place of its own: none of them has all of it.
    """
    kind = str(description.get("type", ""))
    if several := description.get("several"):
        names = sorted({f"{each.get('host')}/{place_of(each).name}" for each in several})
        return Place(kind, "several", " and ".join(names))
    name, host = description.get("target") or description.get("bucket"), description.get("host")
    return Place(kind, None if host is None else _store_of(str(host)), None if name is None else str(name))


def _store_of(host: str) -> str:
    found = _AWS_HOST.fullmatch(host)
    if found is None:
        return host
    return "aws-us-gov" if "us-gov-" in found["service"] else _PARTITIONS[found["suffix"]]
