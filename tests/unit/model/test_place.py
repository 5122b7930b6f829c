"""Places: two descriptions of one store are the same place, and two stores are not."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import Loader

from job_history.model.place import place_of

AWS = {"type": "s3", "bucket": "acme-audit", "host": "s3.eu-central-1.amazonaws.com", "write_mode": "create_only"}
MINIO = {**AWS, "host": "minio.example:9000"}
SUMO = {"type": "sumo_logic", "endpoint": "https://collectors.example/…", "target": "0123456789abcdef"}


@pytest.mark.parametrize(
    "host",
    [
        "s3.amazonaws.com",
        "s3.us-east-1.amazonaws.com",
        "s3-us-west-2.amazonaws.com",
        "s3.dualstack.eu-central-1.amazonaws.com",
        "s3-fips.us-east-1.amazonaws.com",
        "s3-fips.dualstack.us-east-1.amazonaws.com",
        "s3-accelerate.amazonaws.com",
        "s3-accelerate.dualstack.amazonaws.com",
        "bucket.vpce-0a1b2c3d-abcdefgh.s3.eu-central-1.vpce.amazonaws.com",
        "acme-123456789012.s3-accesspoint.eu-central-1.amazonaws.com",
        "s3express-use1-az4.us-east-1.amazonaws.com",
        "s3.eu-central-1.api.aws",
    ],
)
def test_all_hosts_of_aws_are_one_store(host: str) -> None:
    assert place_of({**AWS, "host": host}).is_same(place_of(AWS))
    assert not place_of({**AWS, "host": host}).is_same(place_of(MINIO))


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "minio.example:9001"},
        {"host": "other.example:9000"},
        {"host": "minio.example:9000/tenant-b"},
        {"host": "s3.eu-central-1.amazonaws.com"},
        # Load balancers and machines in AWS are not S3.
        {"host": "s3-proxy-1234.eu-central-1.elb.amazonaws.com"},
        {"host": "ec2-1-2-3-4.compute-1.amazonaws.com:9000"},
        {"host": "s3.eu-central-1.amazonaws.com.example.org"},
        {"bucket": "acme-audit-2"},
        {"type": "azure"},
    ],
)
def test_another_host_or_bucket_is_another_place(changes: dict[str, str]) -> None:
    assert not place_of({**MINIO, **changes}).is_same(place_of(MINIO))
    if "host" in changes and changes["host"] != AWS["host"]:
        assert not place_of({**MINIO, **changes}).is_same(place_of(AWS))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3.cn-north-1.amazonaws.com.cn", "s3.us-east-1.amazonaws.com"),
        ("s3.us-gov-west-1.amazonaws.com", "s3.us-east-1.amazonaws.com"),
        ("s3-fips-us-gov-west-1.amazonaws.com", "s3.amazonaws.com"),
    ],
)
def test_each_partition_of_aws_is_a_store_of_its_own(one: str, other: str) -> None:
    assert not place_of({**AWS, "host": one}).is_same(place_of({**AWS, "host": other}))


def test_every_partition_that_botocore_knows_is_known() -> None:
    for partition in Loader().load_data("partitions")["partitions"]:
        region = next(name for name in partition["regions"] if "global" not in name)
        for suffix in ("dnsSuffix", "dualStackDnsSuffix"):
            place = place_of({**AWS, "host": f"s3.{region}.{partition['outputs'][suffix]}"})
            assert place.store == partition["id"]


@pytest.mark.promise("a-place-is-more-than-a-name")
def test_a_receipt_without_a_host_is_of_the_same_bucket_anywhere() -> None:
    earlier = {"type": "s3", "bucket": "acme-audit", "write_mode": "create_only"}
    assert place_of(earlier).is_same(place_of(AWS))
    assert place_of(MINIO).is_same(place_of(earlier))
    assert not place_of({**earlier, "bucket": "another"}).is_same(place_of(AWS))


def test_the_write_mode_does_not_make_a_place() -> None:
    assert place_of({**MINIO, "write_mode": "overwrite"}).is_same(place_of(MINIO))


def test_a_message_destination_is_known_by_its_target() -> None:
    assert place_of({**SUMO, "endpoint": "https://other.example/…"}).is_same(place_of(SUMO))
    assert not place_of({**SUMO, "target": "fedcba9876543210"}).is_same(place_of(SUMO))


@pytest.mark.parametrize("unknown", [{}, {"type": "s3"}, {"type": "s3", "host": "minio.example:9000"}])
def test_a_description_without_a_name_is_the_same_as_none(unknown: dict[str, Any]) -> None:
    assert not place_of(unknown).is_same(place_of(unknown))
    assert not place_of(unknown).is_same(place_of(MINIO))


def test_a_window_in_two_places_is_complete_in_neither() -> None:
    both = {"type": "s3", "several": [MINIO, AWS]}
    assert place_of(both).is_same(place_of({"type": "s3", "several": [AWS, MINIO]}))
    assert not place_of(both).is_same(place_of(MINIO))
    assert not place_of(both).is_same(place_of(AWS))
