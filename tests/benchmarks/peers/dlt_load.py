"""A dlt pipeline from PostgreSQL to its filesystem destination: `dlt_load.py DSN QUERY`, settings in the
environment.
"""

import sys
from collections.abc import Iterator
from typing import Any

import dlt
import psycopg2

_, dsn, query = sys.argv


@dlt.resource(name="jobs", max_table_nesting=0, write_disposition="append")
def jobs() -> Iterator[dict[str, Any]]:
    with psycopg2.connect(dsn) as connection, connection.cursor(name="jobs") as cursor:
        cursor.execute(query)
        names: list[str] = []
        for row in cursor:
            names = names or [column[0] for column in cursor.description]
            yield dict(zip(names, row, strict=True))


dlt.pipeline("bench", destination="filesystem", dataset_name="audit").run(jobs(), loader_file_format="jsonl")
