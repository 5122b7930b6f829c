"""What Airflow learns of this distribution from its `apache_airflow_provider` entry point."""

from __future__ import annotations

from typing import Any

from job_history import __version__


def get_provider_info() -> dict[str, Any]:
    return {
        "package-name": "job-history-replication",
        "name": "Job History Replication",
        "description": "Replicates the job history of an integration platform to object stores and log services.",
        "versions": [__version__],
        "connection-types": [
            {
                "connection-type": "splunk_hec",
                "hook-class-name": "job_history_airflow.hooks.splunk_hec.SplunkHecHook",
                "hook-name": "Splunk HTTP Event Collector",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login"],
                    "relabeling": {"password": "Token", "host": "URL of the collector"},
                    "placeholders": {
                        "host": "https://splunk.example.com:8088, or https://http-inputs-NAME.splunkcloud.com",
                        "port": "leave empty if the URL has it",
                        "password": "of the collector's token: a secret",
                        "extra": '{"verify": "/etc/ssl/private-ca.pem"}',
                    },
                },
            },
            {
                "connection-type": "sumo_logic",
                "hook-class-name": "job_history_airflow.hooks.sumo_logic.SumoLogicHook",
                "hook-name": "Sumo Logic",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "login"],
                    "relabeling": {"password": "URL of the HTTP source", "host": "URL without token"},
                    "placeholders": {
                        "password": "https://endpoint.collection.sumologic.com/receiver/v1/http/... (a secret, whole)",
                        "host": "leave empty; or https://.../receiver/v1/http, and the token alone above",
                        "extra": '{"verify": "/etc/ssl/private-ca.pem"}',
                    },
                },
            },
            {
                "connection-type": "workato",
                "hook-class-name": "job_history_airflow.hooks.workato.WorkatoHook",
                "hook-name": "Workato",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "login"],
                    "relabeling": {"password": "API token", "host": "Base URL of the data centre"},
                    "placeholders": {
                        "host": "empty: https://www.workato.com; https://app.REGION.workato.com for eu, jp, sg, au, "
                        "il, kr, trial; China: https://app.workatoapp.cn",
                        "password": "of an API client whose role may list recipes and get jobs",
                        "extra": '{"requests_per_minute": 60, "verify": "/etc/ssl/private-ca.pem"}',
                    },
                },
            },
        ],
        "config": {
            "job_history": {
                "description": "Settings of the DAGs job_history_*; docs/configuration.md has more on each.",
                "options": {
                    "ledger_path": _option(
                        "string",
                        "{AIRFLOW_HOME}/job_history/ledger",
                        "Where receipts and quarantine are kept: a folder that all workers share, or "
                        "s3://conn_id@bucket/prefix.",
                    ),
                    "staging_path": _option(
                        "string",
                        "{AIRFLOW_HOME}/job_history/staging",
                        "Where tasks hand files to each other: a folder that all workers share, or "
                        "s3://conn_id@bucket/prefix.",
                    ),
                    "shared_group": _option(
                        "boolean",
                        "False",
                        "True: the group of both folders may use the files in them (0660, 0770). False: only this "
                        "user (0600, 0700).",
                    ),
                    "settle_minutes": _option(
                        "integer", "10", "Minutes to wait after a window's end, because sources show jobs late."
                    ),
                    "lookback_hours": _option(
                        "integer",
                        "24",
                        "The daily reconciliation finds jobs that the source shows up to this late.",
                    ),
                    "start_date": _option(
                        "string",
                        None,
                        "ISO 8601. Set: every hour from then on needs a run, and Airflow catches up. Unset: no "
                        "catch-up.",
                    ),
                    "backfill_pool": _option(
                        "string",
                        None,
                        "The pool that backfills of these DAGs run in, after the hourly runs; it must exist. Unset: "
                        "as other runs.",
                    ),
                    "signing_conn_id": _option(
                        "string",
                        None,
                        "The connection with the Ed25519 key that signs seals (docs/proof.md). Unset: seals are not "
                        "signed.",
                    ),
                    "notifiers": _option(
                        "string",
                        None,
                        "A JSON list of notifiers that a report calls when what is wrong changes: "
                        '[{"notifier": "dotted.path", "arguments": {...}}]. Unset: none.',
                    ),
                    "notify_deadline_minutes": _option(
                        "integer", None, "Also notify if a run has not ended so many minutes after it was queued."
                    ),
                    "metrics_account_tag": _option(
                        "boolean", "False", "True: metrics have a tag `account`, one series for each account."
                    ),
                    "asset_events": _option(
                        "string",
                        None,
                        "The accounts whose closed windows become events of the asset job_history_windows: user_ids "
                        "separated by commas, or all. Unset: none.",
                    ),
                    "owner": _option(
                        "string", None, "The owner of both DAGs in Airflow's lists. Unset: [operators] default_owner."
                    ),
                    "tags": _option("string", "job history", "The tags of both DAGs, separated by commas."),
                    "max_document_bytes": _option(
                        "integer", "40000000", "A larger document is delivered without its lines, and notes that."
                    ),
                    "max_message_bytes": _option(
                        "integer", "65000", "A larger document goes to Sumo Logic as several messages. At most 262144."
                    ),
                    "upload_concurrency": _option(
                        "integer", "256", "Maximum number of PUTs in flight, for each load task."
                    ),
                    "max_jobs_per_slice": _option(
                        "integer", "100000", "A window with more jobs is cut into slices, each a chain of tasks."
                    ),
                    "max_jobs_per_convoy": _option(
                        "integer",
                        "50000",
                        "Small slices of several accounts share tasks, with at most this many jobs together. 0: each "
                        "slice with jobs gets tasks of its own.",
                    ),
                    "max_accounts_per_convoy": _option(
                        "integer", "500", "Maximum number of accounts whose slices share tasks."
                    ),
                    "quarantine_threshold": _option(
                        "integer",
                        "10",
                        "Fail the run if more than this percentage of a window's jobs (and at least 10) are "
                        "quarantined. 0: on any; 100: never.",
                    ),
                },
            }
        },
    }


def _option(kind: str, default: str | None, description: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": None,
        "default": default,
    }
