"""The accounts of the demo as a user would write them into the Variable, one for each thing worth seeing."""

from typing import Any

JOB_STORE = "job_store"
LOCAL_S3 = "local_s3"
LOCAL_SUMO_LOGIC = "local_sumo_logic"
LOCAL_WORKATO = "local_workato"
WORKATO_USER_ID = 5235
UNLIMITED_REQUESTS_A_MINUTE = 1_000_000
BUCKETS = ("acme-audit", "globex-audit", "shared-audit")


def demo_accounts() -> list[dict[str, Any]]:
    """The Variable `job_history_accounts`; its connections are JOB_STORE, LOCAL_WORKATO, LOCAL_S3 and
    LOCAL_SUMO_LOGIC.
    """
    return [
        _account(5234, "Acme", _bucket("acme-audit"), admin_events=True),
        # Through the platform's API; some of the sample jobs take more than a day.
        _account(
            WORKATO_USER_ID,
            "Globex",
            _bucket("globex-audit"),
            source={"type": "workato", "conn_id": LOCAL_WORKATO, "longest_job_hours": 36},
        ),
        _account(5236, "Initech", _bucket("shared-audit", prefix="initech"), line_details=False),
        _account(5237, "Umbrella", _bucket("shared-audit", prefix="umbrella")),
        _account(
            5238,
            "Hooli",
            {"type": "sumo_logic", "conn_id": LOCAL_SUMO_LOGIC, "source_category": "audit/jobs"},
        ),
    ]


def _bucket(name: str, *, prefix: str = "") -> dict[str, Any]:
    return {"type": "s3", "conn_id": LOCAL_S3, "bucket": name, "prefix": prefix}


def _account(
    user_id: int,
    name: str,
    destination: dict[str, Any],
    *,
    source: dict[str, Any] | None = None,
    line_details: bool = True,
    admin_events: bool = False,
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": name,
        "enabled": True,
        "source": source or {"type": "sql", "conn_id": JOB_STORE},
        "destination": destination,
        "events": {"job_history": True, "line_details": line_details, "admin_events": admin_events},
        "redaction": [],
    }


def workato_connection(url: str, token: str) -> dict[str, Any]:
    """The connection LOCAL_WORKATO. The local API has no quota to keep, so the demo does not wait for one."""
    return {
        "conn_type": "workato",
        "host": url,
        "password": token,
        "extra": {"requests_per_minute": UNLIMITED_REQUESTS_A_MINUTE},
    }
