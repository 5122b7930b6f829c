"""Accounts: the workspace that a token belongs to, and a partner's customers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .job_json import WriteTime
from .workspace import WORKSPACE_MADE_AT, Workspace

PLAN = "business_yearly"


def user_json(workspace: Workspace, recipes: int, running: int, now: datetime, write_time: WriteTime) -> dict[str, Any]:
    """`/api/users/me`: the documented sample's fields, and those that a strict public client asks for."""
    name = name_of(workspace)
    handle = f"workspace{workspace.user_id}"
    period_start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return {
        "id": workspace.user_id,
        "name": name,
        "created_at": write_time(WORKSPACE_MADE_AT),
        "handle": handle,
        "expert": False,
        "avatar_url": "http://www.example.com/assets/default-avatar_large.png",
        "recipes_count": recipes,
        "interested_applications": ["salesforce", "netsuite"],
        "company_name": name,
        "location": None,
        "last_seen": write_time(now),
        "contact_phone": None,
        "contact_email": f"{handle}@example.com",
        "about_me": None,
        "email": f"{handle}@example.com",
        "phone": None,
        "active_recipes_count": running,
        "plan_id": PLAN,
        "current_billing_period_start": write_time(period_start),
        "current_billing_period_end": write_time(_next_month(period_start)),
        "root_folder_id": 1,
    }


def customer_json(workspace: Workspace, write_time: WriteTime) -> dict[str, Any]:
    """One of `/api/managed_users`; the documented sample misspells `external_id`, which clients read spelt right."""
    made_at = write_time(WORKSPACE_MADE_AT)
    return {
        "id": workspace.user_id,
        "external_id": workspace.external_id,
        "name": name_of(workspace),
        "notification_email": f"workspace{workspace.user_id}@example.com",
        "plan_id": PLAN,
        "in_trial": False,
        "created_at": made_at,
        "updated_at": made_at,
    }


def name_of(workspace: Workspace) -> str:
    return workspace.name or f"Workspace {workspace.user_id}"


def _next_month(first: datetime) -> datetime:
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
