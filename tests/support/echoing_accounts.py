"""Accounts with canaries in their connections and records; most of them meet a server that repeats what it was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from tests.support.canary import Canaries
from tests.support.canary_records import RULES, broken_jobs, planted_event, planted_job, too_deep_job
from tests.support.echoing_receivers import connections_of, echoing_server, service_account
from tests.support.google_storage import GoogleStorage, google_storage
from tests.support.receivers import HTTP_PATH, Receivers, local_receivers
from tests.support.refusing_postgres import refusing_postgres
from tests.support.scripted_s3 import Refusal, scripted_s3

from simulators.job_store import create, fill, fill_events, plain_job
from simulators.postgres import PostgresServer
from simulators.s3_endpoint import S3Endpoint
from simulators.sumo_logic import Fault as SumoLogicFault
from simulators.sumo_logic import LocalSource, local_source
from simulators.workato import Fault as WorkatoFault
from simulators.workato import Workspace, local_workato, truncated

BUCKET = "canary-audit"
REFUSING_BUCKET = "canary-refused"
PLAIN, RULED_S3, RULED_SUMO_LOGIC, RULED_WORKATO = 5401, 5402, 5403, 5404
S3_REFUSES_PROBE, S3_REFUSES_LOAD, SUMO_LOGIC_REFUSES_PROBE, SUMO_LOGIC_REFUSES_LOAD = 5405, 5406, 5407, 5408
WORKATO_REFUSES, SQL_REFUSES, SQL_QUOTES_A_VALUE = 5409, 5410, 5411
RULED_OTHERS = {"canary_splunk": 5412, "canary_datadog": 5413, "canary_http": 5414, "canary_google": 5415}
OTHERS_REFUSE = {f"{conn_id}_refusing": user_id + 10 for conn_id, user_id in RULED_OTHERS.items()}
PASSED_ALREADY = (S3_REFUSES_LOAD, SUMO_LOGIC_REFUSES_LOAD, *OTHERS_REFUSE.values())
"""Accounts whose preflight is to be taken for passed, so that it is their load that is refused."""
RULED_AND_PLAIN = (PLAIN, RULED_S3, RULED_SUMO_LOGIC, *RULED_OTHERS.values())
_KINDS = {"aws": "s3", "google_cloud_platform": "google_storage"}
JOBS_ONLY = {"job_history": True, "line_details": True}
ALL_EVENTS = {**JOBS_ONLY, "admin_events": True}


@dataclass
class EchoingAccounts:
    """`connections` by their ids, as Airflow's API takes them."""

    hour: datetime
    canaries: Canaries = field(default_factory=Canaries)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    sumo_logic: LocalSource | None = None
    receivers: Receivers | None = None
    google: GoogleStorage | None = None

    def secret(self, name: str) -> str:
        """A secret of a connection, with the letters that real ones have."""
        return f"{self.canaries.word(f'connection: {name}')}/+x="

    def add(self, user_id: int, source: str, destination: str, **changes: Any) -> None:
        """Add an account between two connections."""
        kinds = {conn_id: connection["conn_type"] for conn_id, connection in self.connections.items()}
        buckets = {"canary_s3": BUCKET, "canary_s3_refusing": REFUSING_BUCKET}
        buckets |= {"canary_google": BUCKET, "canary_google_refusing": BUCKET}
        bucket = {"bucket": buckets[destination]} if destination in buckets else {}
        account = {
            "user_id": user_id,
            "name": f"Echo {user_id}",
            "source": {"type": "workato" if kinds[source] == "workato" else "sql", "conn_id": source},
            "destination": {
                "type": _KINDS.get(kinds[destination], kinds[destination]),
                "conn_id": destination,
                **bucket,
            },
            "events": JOBS_ONLY,
        }
        self.accounts.append({**account, **changes})


@contextmanager
def echoing_accounts(postgres: PostgresServer, s3: S3Endpoint, hour: datetime) -> Iterator[EchoingAccounts]:
    """Make the stores, start the services, and return the accounts and connections that lead to them."""
    made = EchoingAccounts(hour)
    with ExitStack() as running:
        _sources(made, postgres, running)
        _buckets(made, s3, running)
        _sumo_logic(made, running)
        _others(made, running)
        ruled = {
            "redaction": RULES,
            "redaction_name": "canaries",
            "redaction_key_conn_id": "canary_redaction_key",
        }
        made.connections["canary_redaction_key"] = {
            "conn_type": "generic",
            "password": made.secret("HMAC key") + 9 * "x",
        }
        made.add(PLAIN, "canary_store", "canary_s3")
        made.add(RULED_S3, "canary_store", "canary_s3", events=ALL_EVENTS, **ruled)
        made.add(RULED_SUMO_LOGIC, "canary_store", "canary_sumo", **ruled)
        made.add(RULED_WORKATO, "canary_workato", "canary_s3", **ruled)
        made.add(S3_REFUSES_PROBE, "canary_store", "canary_s3_refusing")
        made.add(S3_REFUSES_LOAD, "canary_store", "canary_s3_refusing")
        made.add(SUMO_LOGIC_REFUSES_PROBE, "canary_store", "canary_sumo_refusing")
        made.add(SUMO_LOGIC_REFUSES_LOAD, "canary_store", "canary_sumo_refusing")
        made.add(WORKATO_REFUSES, "canary_workato_refusing", "canary_s3")
        made.add(SQL_REFUSES, "canary_store_refusing", "canary_s3")
        made.add(SQL_QUOTES_A_VALUE, "canary_store_quoting", "canary_s3")
        for conn_id, user_id in RULED_OTHERS.items():
            made.add(user_id, "canary_store", conn_id, **ruled)
        for conn_id, user_id in OTHERS_REFUSE.items():
            made.add(user_id, "canary_store", conn_id)
        yield made


def _sources(made: EchoingAccounts, postgres: PostgresServer, running: ExitStack) -> None:
    jobs = [
        *(planted_job(made.canaries, user_id, made.hour, 1) for user_id in RULED_AND_PLAIN),
        planted_job(made.canaries, RULED_S3, made.hour, 9),  # the first meets another object under its key
        too_deep_job(made.canaries, RULED_S3, made.hour, 2),
        *broken_jobs(made.canaries, RULED_S3, made.hour, 3),
        *broken_jobs(made.canaries, PLAIN, made.hour, 3),
        *(
            plain_job(user_id, made.hour, 1)
            for user_id in (S3_REFUSES_PROBE, S3_REFUSES_LOAD, SUMO_LOGIC_REFUSES_PROBE, *PASSED_ALREADY[1:])
        ),
    ]
    postgres.create_database("canary_store")
    with postgres.psycopg_connection("canary_store") as connection:
        create(connection, "postgresql", json_type="text")
        fill(connection, "postgresql", jobs)
        fill_events(connection, "postgresql", [planted_event(made.canaries, RULED_S3, made.hour, 1)])
    store = json.loads(postgres.airflow_connection("canary_store"))
    made.connections["canary_store"] = {**store, "password": made.secret("SQL password")}

    refusing = {"conn_type": "postgres", "host": "127.0.0.1", "port": running.enter_context(refusing_postgres())}
    made.connections["canary_store_refusing"] = {
        **refusing,
        "login": "reader",
        "schema": "jobs",
        "password": made.secret("wrong SQL password"),
    }

    postgres.create_database("canary_store_quoting")
    with postgres.psycopg_connection("canary_store_quoting") as connection:
        create(connection, "postgresql", json_type="text")
        fill(connection, "postgresql", [planted_job(made.canaries, SQL_QUOTES_A_VALUE, made.hour, 1)])
        # A customer's view that does not fit his data.
        connection.execute("ALTER TABLE job_history_jobs RENAME TO jobs")
        connection.execute(
            "CREATE VIEW job_history_jobs AS SELECT user_id, recipe_id, job_id, parent_id, calling_job_id, status, "
            "started_at, completed_at, error_type, error, CAST(CAST(title AS integer) AS text) AS title, "
            "is_poll_error, report FROM jobs"
        )
    quoting = json.loads(postgres.airflow_connection("canary_store_quoting"))
    made.connections["canary_store_quoting"] = {**quoting, "password": made.secret("SQL password of the second store")}
    _workato(made, running)


def _workato(made: EchoingAccounts, running: ExitStack) -> None:
    for conn_id, user_id in (("canary_workato", RULED_WORKATO), ("canary_workato_refusing", WORKATO_REFUSES)):
        token = made.canaries.word(f"connection: token of {conn_id}")
        workspace = Workspace(
            user_id=user_id,
            jobs=[planted_job(made.canaries, user_id, made.hour, 1)],
            token=token,
            name=f"Echo {user_id}",
        )
        api = running.enter_context(
            local_workato(
                workspaces=[workspace],
                now=made.hour + timedelta(hours=1, minutes=10),
                direct_limit=None,
                partner_limit=None,
            )
        )
        api.script([truncated(path="/jobs")])
        echo = json.dumps({"message": f"Bearer {token} ({quote(token)}) is none of ours"})
        if user_id == WORKATO_REFUSES:
            api.script([WorkatoFault(status=500, body=echo), *[WorkatoFault(status=401, body=echo)] * 10])
        plenty = json.dumps({"requests_per_minute": 100_000})
        made.connections[conn_id] = {"conn_type": "workato", "host": api.url, "password": token, "extra": plenty}


def _buckets(made: EchoingAccounts, s3: S3Endpoint, running: ExitStack) -> None:
    s3.create_bucket(BUCKET)
    refusing = running.enter_context(scripted_s3(REFUSING_BUCKET))
    for conn_id, url in (("canary_s3", s3.url), ("canary_s3_refusing", refusing.url)):
        access_key = "AKIA" + made.canaries.word(f"connection: access key id of {conn_id}")
        secret_key, token = made.secret(f"secret key of {conn_id}"), made.secret(f"session token of {conn_id}")
        extra = {"endpoint_url": url, "region_name": "us-east-1", "aws_session_token": token}
        made.connections[conn_id] = {
            "conn_type": "aws",
            "login": access_key,
            "password": secret_key,
            "extra": json.dumps(extra),
        }
    # The keys of the last one, which is the one that refuses.
    refusing.always_answer(
        "PUT",
        Refusal(
            403,
            "AccessDenied",
            message=f"Nothing may be put by {access_key} with {secret_key} and {token}",
            echoes={"AWSAccessKeyId": access_key, "StringToSign": secret_key, "Token-0": token},
        ),
    )


def _sumo_logic(made: EchoingAccounts, running: ExitStack) -> None:
    token = made.canaries.word("connection: token in a URL") + "=="
    made.sumo_logic = running.enter_context(local_source(token=token))
    made.connections["canary_sumo"] = {"conn_type": "sumo_logic", "password": made.sumo_logic.url}

    token = made.canaries.word("connection: token beside a URL") + "=="
    refusing = running.enter_context(local_source(token=token))
    echo = SumoLogicFault(status=401, body=f"{refusing.url} {token} {quote(token, safe='')}: no such token")
    refusing.script([echo] * 20)
    made.connections["canary_sumo_refusing"] = {
        "conn_type": "sumo_logic",
        "host": refusing.receiver_url,
        "password": token,
    }


def _others(made: EchoingAccounts, running: ExitStack) -> None:
    """Add Splunk, Datadog, HTTP and Google: one of each that takes documents, and one that repeats secrets."""
    token = made.secret("token of receivers")
    made.receivers = running.enter_context(local_receivers())
    made.receivers.token, made.receivers.truncate = token, 1_000_000
    made.google = running.enter_context(google_storage())
    made.google.token = made.secret("token of Google")
    made.google.create_bucket(BUCKET)
    word = made.canaries.word("connection: key id of Google")
    giver = running.enter_context(echoing_server(made.google.token))
    tokens = dict.fromkeys(("splunk_hec", "datadog", "http"), token)
    found = connections_of(made.secret, made.receivers.address, tokens, "", service_account(f"{giver}/token", word))
    google = json.loads(found["canary_google"]["extra"]) | {"endpoint_url": made.google.address}
    # The path of the plain receiver is a setting of the account; here it is in the host.
    found["canary_http"]["host"] += HTTP_PATH
    made.connections |= {**found, "canary_google": {**found["canary_google"], "extra": json.dumps(google)}}

    refused = {kind: made.secret(f"token that {kind} refuses") for kind in tokens}
    echo = running.enter_context(echoing_server(made.secret("token that Google refuses")))
    word = made.canaries.word("connection: key id that Google refuses")
    key = service_account(f"{echo}/token", word)
    made.connections |= connections_of(made.secret, echo, refused, "_refusing", key)
