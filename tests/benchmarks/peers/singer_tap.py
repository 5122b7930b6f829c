"""A Singer tap as small as can be: `singer_tap.py DSN QUERY` prints a record for each row."""

import json
import sys

import psycopg2

_, dsn, query = sys.argv
with psycopg2.connect(dsn) as connection, connection.cursor(name="jobs") as cursor:
    cursor.execute(query)
    names: list[str] = []
    for row in cursor:
        if not names:
            names = [column[0] for column in cursor.description]
            schema = {"type": "object", "properties": {name: {} for name in names}}
            print(json.dumps({"type": "SCHEMA", "stream": "jobs", "schema": schema, "key_properties": ["id"]}))
        record = dict(zip(names, row, strict=True))
        print(json.dumps({"type": "RECORD", "stream": "jobs", "record": record}, default=str))
