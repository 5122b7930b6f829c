"""The real parts that the contract suites run on, each started once for all of them."""

from collections.abc import Iterator

import pytest
from tests.support.ceph_rgw import CephGateway, ceph_rgw
from tests.support.mariadb import MariadbServer, mariadb_server

from simulators.postgres import PostgresServer, local_postgres
from simulators.s3_endpoint import S3Endpoint, local_s3


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with local_postgres(tmp_path_factory.mktemp("postgres") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    with mariadb_server(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with local_s3(tmp_path_factory.mktemp("moto")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephGateway]:
    with ceph_rgw(tmp_path_factory.mktemp("ceph")) as gateway:
        yield gateway
