"""The words of the form: labels, and hints that differ from the models' descriptions. Keys are places in an entry."""

from __future__ import annotations

from job_history.accounts.destination_settings import DestinationSettings
from job_history.destinations.kind import installed_kinds

LABELS = {
    # First: a kind of another package may be called as a field is.
    **{kind.name: kind.title for kind in installed_kinds()},
    "user_id": "Workspace id",
    "name": "Name",
    "enabled": "Replicate this account",
    "source": "Job history comes from",
    "destination": "Audit log destination",
    "events": "Events",
    "events.job_history": "Job history data",
    "events.line_details": "Input, output and error details of all executed lines",
    "events.admin_events": "Admin events",
    "conn_id": "Connection",
    "kms_key_id": "KMS key",
    "acl": "Canned ACL",
    "transport": "Client",
    "managed_user_id": "Managed user",
    "redaction": "Redaction rules",
    "redaction_name": "Name of the redaction rules",
    "redaction_key_conn_id": "Connection with the key of redaction rules that hash",
    "witness_conn_id": "Connection of the witness of the seals",
    "sql": "SQL job store",
    "workato": "Workato API",
}
HINTS = {
    "enabled": "Off: an explicit pause, which reports mention.",
    "conn_id": "The id of one of Airflow's connections of this type; never its secrets.",
}


_NAMES_A_PLACE = ("bucket", "container", "path", "index", "service", "source_category")


def place_shown(settings: DestinationSettings) -> str:
    """Return what the table of accounts shows of a destination besides kind and connection; empty if it has no name."""
    found = next((named for name in _NAMES_A_PLACE if (named := getattr(settings, name, None))), "")
    if settings.type == "s3" and not found:
        found = "the connection's bucket"
    return f"{found}/{settings.key_prefix}" if settings.key_prefix else str(found)


def label_of(place: str) -> str:
    key = place.rpartition(".")[2]
    return LABELS.get(place) or LABELS.get(key) or key.replace("_", " ").capitalize()


def hint_of(place: str, description: str) -> str:
    return HINTS.get(place) or HINTS.get(place.rpartition(".")[2]) or description
