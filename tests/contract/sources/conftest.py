"""A store of each kind for the tests of sources: filled by the sample's tables, or without any."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.job_stores import JobStore, SqlStore, WorkatoStore, is_sql_store, sql_store
from tests.support.source_suite import START, USER_ID


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobStore]:
    if is_sql_store(request.param):
        yield sql_store(request.param, tmp_path, request.getfixturevalue)
        return
    with closing(WorkatoStore(USER_ID, START + timedelta(days=1), embedded=request.param == "workato-embedded")) as api:
        yield api


@pytest.fixture
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> SqlStore:
    return sql_store(request.param, tmp_path, request.getfixturevalue, empty=True)
