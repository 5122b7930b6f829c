"""Columns of a database in documents: ids, JSON, columns that only one store has, views over another schema."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.job_stores import MARIADB_NAMES, STORES, PostgresStore, SqliteStore, SqlStore, sql_store
from tests.support.source_suite import (
    START,
    USER_ID,
    both_drivers,
    documents,
    every_database,
    every_empty_database,
    ids,
    job,
    listed,
    tables,
)

from job_history.model.window import Window
from job_history.sources.sql.rows import JOB_COLUMNS, LINE_COLUMNS
from simulators.job_store import SampleJob, example_job, sample_jobs


@every_database
def test_line_details_off_needs_no_relation_of_lines(store: SqlStore) -> None:
    store.fill([job(1)])
    store.execute("DROP TABLE job_history_lines")

    assert ids(listed(store.source(), lines=False)) == ["1"]


OF_LINES = ("user_id", "line_index", *LINE_COLUMNS)
ID_TYPES = [("bigint", 100), ("numeric(21)", 100), ("text", 100), ("text", "j-KGAKfhsz-GYoLeD")]


@every_empty_database
@pytest.mark.parametrize(("id_type", "job_id"), ID_TYPES)
def test_ids_of_every_column_type(empty_store: SqlStore, id_type: str, job_id: int | str) -> None:
    number = "text" if id_type == "text" else id_type
    empty_store.execute(*tables(empty_store, number=number, job_id=id_type))
    empty_store.fill([job(job_id, parent_id=99)])

    [(key, body)] = documents(listed(empty_store.source())).items()

    assert key.endswith(f"/5234-234-{job_id}-20180521003000-succeeded.json")
    assert [json.loads(body)[name] for name in ("id", "flow_id", "parent_id")] == [job_id, 234, 99]
    assert [line["input"] for line in json.loads(body)["lines"]] == [{"interval": "1"}, {}]


@pytest.mark.parametrize("empty_store", ["postgres-psycopg", "postgres-psycopg2"], indirect=True)
def test_21_digits_in_a_numeric_column(empty_store: SqlStore) -> None:
    empty_store.execute(*tables(empty_store, number="numeric", job_id="numeric(21)"))
    empty_store.fill([job("123456789012345678901"), job(100)])

    made = [json.loads(body) for body in documents(listed(empty_store.source())).values()]

    assert sorted((one["id"], len(one["lines"])) for one in made) == [(100, 2), (123456789012345678901, 2)]


TOKENS = '{ "z" : 1.50, "a" : [12345678901234567890123, 1E+2, -0], "a" : "\\u00e9" }'


@pytest.mark.promise("json-unchanged")
@every_empty_database
@pytest.mark.parametrize(
    ("json_type", "expected"),
    [
        ("json", b'{"z":1.50,"a":[12345678901234567890123,1E+2,-0],"a":"\\u00e9"}'),
        ("text", b'{"z":1.50,"a":[12345678901234567890123,1E+2,-0],"a":"\\u00e9"}'),
        # The store itself has given up spelling, order and repeated names there; numbers it keeps.
        ("jsonb", '{"a":"é","z":1.50}'.encode()),
    ],
)
def test_json_columns_pass_through(empty_store: SqlStore, json_type: str, expected: bytes) -> None:
    if json_type == "jsonb" and empty_store.dialect != "postgresql":
        expected = b'{"z":1.50,"a":[12345678901234567890123,1E+2,-0],"a":"\\u00e9"}'  # no type of its own there
    empty_store.execute(*tables(empty_store, json_type=json_type))
    line = example_job().lines[0]._replace(job_id=1, input=TOKENS, output=None)
    empty_store.fill([job(1, report=TOKENS, lines=(line,))])

    [body] = documents(listed(empty_store.source())).values()

    assert b'"report":' + expected + b"," in body
    assert b'"input":' + expected + b',"output":null,' in body


@pytest.mark.promise("field-order")
@every_database
def test_extra_columns_follow_sorted_by_name(store: SqlStore) -> None:
    store.execute(
        "ALTER TABLE job_history_jobs ADD COLUMN zeta text",
        "ALTER TABLE job_history_jobs ADD COLUMN action_count integer",
        'ALTER TABLE job_history_jobs ADD COLUMN "Is Repeat" integer',
        "ALTER TABLE job_history_lines ADD COLUMN line_stat text",
        "ALTER TABLE job_history_lines ADD COLUMN attempts integer",
    )
    store.fill([job(1), job(2)])
    store.execute(
        """UPDATE job_history_jobs SET zeta = 'größer "z"', action_count = 3, "Is Repeat" = 0 WHERE CAST(job_id AS char(200)) = '1'""",  # noqa: E501
        "UPDATE job_history_lines SET line_stat = 'ok', attempts = 2 WHERE CAST(job_id AS char(200)) = '1' AND "
        "line_index = 1",
    )

    first, second = documents(listed(store.source())).values()

    assert first.endswith(
        '"mask_data":false,"attempts":2,"line_stat":"ok"}],"Is Repeat":0,"action_count":3,"zeta":"größer \\"z\\""}\n'.encode()  # noqa: E501
    )
    assert second.endswith(b'"mask_data":false}]}\n')


@both_drivers
def test_extra_columns_of_rich_types_become_json(store: SqlStore) -> None:
    store.execute(
        "ALTER TABLE job_history_jobs ADD COLUMN a boolean DEFAULT true",
        "ALTER TABLE job_history_jobs ADD COLUMN b numeric DEFAULT 12345678901234567890.50",
        "ALTER TABLE job_history_jobs ADD COLUMN c text[] DEFAULT '{x,y}'",
        """ALTER TABLE job_history_jobs ADD COLUMN d json DEFAULT '{"k": 1E+2}'""",
    )
    store.fill([job(1, lines=())])

    [body] = documents(listed(store.source())).values()

    assert body.endswith(b'"lines":[],"a":true,"b":12345678901234567890.50,"c":["x","y"],"d":{"k":1E+2}}\n')


@both_drivers
def test_a_time_in_an_extra_column_does_not_depend_on_the_session_time_zone(store: PostgresStore) -> None:
    store.execute("ALTER TABLE job_history_jobs ADD COLUMN seen_at timestamptz DEFAULT '2018-05-21T00:00:10Z'")
    store.fill([job(1, lines=())])
    database = store.uri.split("?", maxsplit=1)[0].rpartition("/")[2]

    def extra() -> bytes:
        [body] = documents(listed(store.source())).values()
        return body

    before = extra()
    store.execute(f"ALTER DATABASE {database} SET timezone = 'Europe/Berlin'")

    assert extra() == before
    assert b'"seen_at":"2018-05-21T00:00:10+00:00"' in before


@every_empty_database
def test_views_over_another_schema(empty_store: SqlStore) -> None:
    postgres = empty_store.dialect == "postgresql"
    schema = "platform." if postgres else "platform_"
    moment = {
        "postgresql": "to_timestamp({})",
        "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', {}, 'unixepoch')",
        "mysql": "from_unixtime({})",
    }[empty_store.dialect]
    empty_store.execute(
        *(["CREATE SCHEMA platform"] if postgres else []),
        f"CREATE TABLE {schema}runs (workspace text, recipe integer, handle text, state integer, t0 integer, t1 "
        "integer)",
        f"CREATE TABLE {schema}steps (handle text, number integer, app text, payload text)",
        f"INSERT INTO {schema}runs VALUES ('w-5234', 234, 'j-1', 1, 1526860800, 1526860810)",
        f"INSERT INTO {schema}runs VALUES ('w-5234', 234, 'j-2', 2, 1526860800, 1526864399)",
        f"INSERT INTO {schema}runs VALUES ('w-5234', 234, 'j-3', 1, 1526860800, 1526864400)",
        f"INSERT INTO {schema}runs VALUES ('w-5234', 234, 'j-4', 0, 1526860800, NULL)",
        f"INSERT INTO {schema}steps VALUES ('j-1', 2, 'b', '[2]'), ('j-1', 1, 'a', '[1]'), ('j-2', 1, 'c', '[3]')",
        f"""CREATE VIEW job_history_jobs AS SELECT {USER_ID} AS user_id, recipe AS recipe_id, handle AS job_id,
            NULL AS parent_id, NULL AS calling_job_id,
            CASE state WHEN 1 THEN 'succeeded' WHEN 2 THEN 'failed' ELSE 'running' END AS status,
            {moment.format("t0")} AS started_at, {moment.format("t1")} AS completed_at,
            NULL AS error_type, NULL AS error, 'run of ' || handle AS title, NULL AS is_poll_error, NULL AS report
            FROM {schema}runs WHERE workspace = 'w-{USER_ID}'""",
        f"""CREATE VIEW job_history_lines AS SELECT {USER_ID} AS user_id, handle AS job_id, number AS line_index,
            number AS recipe_line_number, app AS adapter_name, 'run' AS adapter_operation,
            payload AS input, NULL AS output, NULL AS error, false AS mask_data FROM {schema}steps""",
    )

    made = documents(listed(empty_store.source()))

    assert {
        key.rsplit("/", 1)[1]: [line["input"] for line in json.loads(body)["lines"]] for key, body in made.items()
    } == {
        "5234-234-j-1-20180521000000-succeeded.json": [[1], [2]],
        "5234-234-j-2-20180521000000-failed.json": [[3]],
    }


@pytest.mark.promise("document-format")
@every_database
def test_lines_of_equal_places_are_always_in_one_order(store: SqlStore) -> None:
    """A database may give such rows in another order the next time: other bytes would be a conflict."""
    store.fill([job(1)])
    store.execute("UPDATE job_history_lines SET line_index = 0")
    before = documents(listed(store.source()))

    store.execute(
        "CREATE TABLE kept AS SELECT * FROM job_history_lines",
        "DELETE FROM job_history_lines",
        "INSERT INTO job_history_lines SELECT * FROM kept ORDER BY recipe_line_number DESC",
    )

    assert documents(listed(store.source())) == before
    assert len(json.loads(next(iter(before.values())))["lines"]) == 2


@pytest.mark.promise("source-contradicts-itself")
@pytest.mark.parametrize("of_jobs", ["100", "'100'"])
@pytest.mark.parametrize("of_lines", ["100", "'100'"])
def test_lines_are_found_though_a_column_of_a_view_has_no_type(tmp_path: Path, of_jobs: str, of_lines: str) -> None:
    """For SQLite 100 is not '100' then: the document would have no lines."""
    store = SqliteStore(tmp_path)
    store.fill([job(100)])
    for relation, columns, job_id in (("jobs", JOB_COLUMNS, of_jobs), ("lines", OF_LINES, of_lines)):
        others = ", ".join(name for name in columns if name != "job_id")
        store.execute(
            f"ALTER TABLE job_history_{relation} RENAME TO {relation}",
            f"CREATE VIEW job_history_{relation} AS SELECT {job_id} AS job_id, {others} FROM {relation}",
        )

    [body] = documents(listed(store.source())).values()

    assert len(json.loads(body)["lines"]) == 2


@pytest.mark.promise("same-documents-from-each-database")
@pytest.mark.parametrize("names", [STORES, pytest.param(MARIADB_NAMES, marks=pytest.mark.mariadb)], ids=["", "mariadb"])
def test_databases_give_the_same_documents(tmp_path: Path, request: pytest.FixtureRequest, names: list[str]) -> None:
    stores = [sql_store(name, tmp_path, request.getfixturevalue) for name in ["sqlite", *names]]
    for store in stores:
        store.fill(sample())

    for hour in range(3):
        window = Window(START + timedelta(hours=hour), START + timedelta(hours=hour + 1))
        first, *others = [listed(store.source(), window) for store in stores]
        assert [documents(records) for records in others] == [documents(first)] * len(others)
        assert [len(records) for records in others] == [len(first)] * len(others)
        assert len(documents(first)) > 50


def sample() -> Iterator[SampleJob]:
    end = START + timedelta(hours=3)
    return sample_jobs(7, USER_ID, recipe_ids=(234, 456), start=START - timedelta(hours=1), end=end, jobs_per_hour=100)
