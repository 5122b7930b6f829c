"""Who asks, and for which workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from .answers import ApiError
from .limits import Quota
from .served import ServedWorkspace


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Whom a token belongs to: a workspace, or a partner with its own workspace and its customers'."""

    name: str
    place: ServedWorkspace
    customers: Sequence[ServedWorkspace]
    is_partner: bool
    quota: Quota
    activity_quota: Quota


def token_of(request: web.Request) -> str:
    """The token of the header Authorization; the older headers and parameters are rejected since 2024 (documented)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def place_of(request: web.Request, holder: Holder) -> ServedWorkspace:
    """The workspace that is asked: the token's own, or the customer's, by its id or `E` and its own external id.

    Documented: the embedded endpoints are usable from a partner's admin workspace only. Unknown, so chosen: 401 for
    others.
    """
    if not request.path.startswith("/api/managed_users"):
        return holder.place
    if not holder.is_partner:
        raise ApiError(401, f"{holder.name} is no partner's admin workspace")
    asked = request.match_info.get("customer")
    if asked is None:
        return holder.place
    for customer in holder.customers:
        external_id = customer.workspace.external_id
        if asked == str(customer.workspace.user_id) or (external_id is not None and asked == f"E{external_id}"):
            return customer
    raise ApiError(404, f"{holder.name} has no customer {asked}")
