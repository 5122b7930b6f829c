"""The accounts of the demo as somebody would write them into the Variable, one for each thing worth seeing."""

from typing import Any

JOB_STORE = "job_store"
LOCAL_S3 = "local_s3"
LOCAL_SUMO_LOGIC = "local_sumo_logic"
BUCKETS = ("acme-audit", "globex-audit", "shared-audit")


def demo_accounts() -> list[dict[str, Any]]:
    """The Variable `job_history_accounts`; its connections are JOB_STORE, LOCAL_S3 and LOCAL_SUMO_LOGIC."""
    return [
        _account(5234, "Acme", _bucket("acme-audit")),
        _account(5235, "Globex", _bucket("globex-audit")),
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


def _account(user_id: int, name: str, destination: dict[str, Any], *, line_details: bool = True) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": name,
        "enabled": True,
        "source": {"type": "sql", "conn_id": JOB_STORE},
        "destination": destination,
        "events": {"job_history": True, "line_details": line_details, "admin_events": False},
        "redaction": [],
    }
