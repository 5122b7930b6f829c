"""The accounts of the demo as somebody would write them into the Variable, one for each thing worth seeing."""

from typing import Any

JOB_STORE = "job_store"
LOCAL_S3 = "local_s3"
BUCKETS = ("acme-audit", "globex-audit", "shared-audit")


def demo_accounts() -> list[dict[str, Any]]:
    """The Variable `job_history_accounts`; its connections are JOB_STORE and LOCAL_S3."""
    return [
        _account(5234, "Acme", "acme-audit"),
        _account(5235, "Globex", "globex-audit"),
        _account(5236, "Initech", "shared-audit", prefix="initech", line_details=False),
        _account(5237, "Umbrella", "shared-audit", prefix="umbrella"),
        _account(5238, "Hooli", "shared-audit", prefix="hooli"),
    ]


def _account(user_id: int, name: str, bucket: str, *, prefix: str = "", line_details: bool = True) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": name,
        "enabled": True,
        "source": {"type": "sql", "conn_id": JOB_STORE},
        "destination": {"type": "s3", "conn_id": LOCAL_S3, "bucket": bucket, "prefix": prefix},
        "events": {"job_history": True, "line_details": line_details, "admin_events": False},
        "redaction": [],
    }
