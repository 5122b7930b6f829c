"""One local API: finds out whose request it is, holds it to the quota, breaks it where scripted, answers and records
it.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from aiohttp import web

from simulators.stand_in.broken_answers import cut_answer, reset
from simulators.stand_in.script import FaultScript
from simulators.stand_in.settings import convert_settings

from .answers import ApiError, answer, document, encode
from .clock import SimulatedClock
from .endpoints import Endpoint, Visit
from .faults import OK, Break, Fault
from .history import View
from .holders import Holder, place_of, token_of
from .limits import Quota
from .parameters import Parameters
from .records import ReceivedRequest, RequestLog
from .served import ServedWorkspace
from .settings import ApiSettings
from .workspace import Partner, Workspace

OnRequest = Callable[[int, str], None]


@dataclass(frozen=True)
class _Outcome:
    status: int
    body: bytes
    headers: Mapping[str, str]
    note: str = ""


class Api:
    """The API's state; the handlers run in one event loop.

    `clock` gives the seconds that the quota and the records go by; `now` is the simulated time to begin with, None for
    the machine's. `on_request` is called with each request's number and path before its answer is made.
    """

    def __init__(
        self,
        settings: ApiSettings,
        *,
        workspaces: Sequence[Workspace] = (),
        partners: Sequence[Partner] = (),
        now: datetime | None = None,
        clock: Callable[[], float] = time.time,
        on_request: OnRequest | None = None,
    ) -> None:
        self.settings = settings
        self.clock = SimulatedClock(now)
        self.script = FaultScript(Fault)
        self.log = RequestLog()
        self._seconds = clock
        self._on_request = on_request
        self._arrived = 0
        self._holders: dict[str, Holder] = {}
        for workspace in workspaces:
            self._add(workspace.token, ServedWorkspace(workspace))
        for partner in partners:
            own = ServedWorkspace(Workspace(user_id=partner.user_id, name=partner.name, token=partner.token))
            self._add(partner.token, own, [ServedWorkspace(customer) for customer in partner.customers])

    def change(self, values: dict[str, Any]) -> None:
        """Change settings while the API runs; raises ValueError."""
        self.settings = convert_settings(ApiSettings, values, base=self.settings)

    def reset(self) -> None:
        """Forget the requests, what was scripted, and what was used of the quotas."""
        self.log.clear()
        self.script.clear()
        self._holders = {
            token: replace(holder, quota=Quota(), activity_quota=Quota()) for token, holder in self._holders.items()
        }

    def handler(self, endpoint: Endpoint | None) -> Callable[[web.Request], Any]:
        """The HTTP handler of an endpoint; None for the paths that are not there."""

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(request, endpoint)

        return handle

    def _add(self, token: str, place: ServedWorkspace, customers: Sequence[ServedWorkspace] | None = None) -> None:
        if token in self._holders:
            raise ValueError(f"The token of {place.holder} is that of another; give each a token of its own.")
        name = place.holder if customers is None else f"partner {place.workspace.user_id}"
        self._holders[token] = Holder(
            name=name,
            place=place,
            customers=customers or (),
            is_partner=customers is not None,
            quota=Quota(),
            activity_quota=Quota(),
        )

    async def _handle(self, request: web.Request, endpoint: Endpoint | None) -> web.StreamResponse:
        self._arrived += 1
        number = self._arrived
        if self._on_request is not None:
            self._on_request(number, request.path_qs)
        received_at, now = self._seconds(), self.clock.now()
        holder = self._holders.get(token_of(request))
        outcome, fault = self._judge(request, endpoint, holder, received_at, now)
        delay = self.settings.latency + fault.delay
        if delay > self.settings.request_timeout:
            outcome, delay = _failure(504, "not answered in time"), self.settings.request_timeout
        self.log.add(
            ReceivedRequest(
                number=number,
                received_at=received_at,
                simulated_at=now,
                holder="" if holder is None else holder.name,
                path=request.path_qs,
                status=None if fault.breaks in {Break.RESET, Break.CUT} else outcome.status,
                note=outcome.note if fault.breaks is None else f"scripted: {fault.breaks}",
                user_agent=request.headers.get("User-Agent", ""),
            )
        )
        self.clock.advance(self.settings.advance_per_request)
        await asyncio.sleep(delay)
        return await _send(request, outcome, fault)

    def _judge(
        self,
        request: web.Request,
        endpoint: Endpoint | None,
        holder: Holder | None,
        received_at: float,
        now: datetime,
    ) -> tuple[_Outcome, Fault]:
        if holder is None:
            return _failure(401, "no known token in the header Authorization"), Fault()
        wait = self._seconds_to_wait(request.path, holder, received_at)
        if wait > 0:
            headers = {"Retry-After": str(math.ceil(wait))} if self.settings.retry_after else {}
            return _failure(429, "over the quota", headers), Fault()
        fault = self.script.next(lambda each: re.search(each.path, request.path_qs))
        try:
            return self._outcome(request, endpoint, holder, now, fault), fault
        except ApiError as problem:
            return _failure(problem.status, str(problem)), fault

    def _seconds_to_wait(self, path: str, holder: Holder, received_at: float) -> float:
        quota, limit = holder.quota, self.settings.partner_limit if holder.is_partner else self.settings.direct_limit
        if limit is not None and path.endswith("/activity_logs"):
            quota, limit = holder.activity_quota, self.settings.activity_limit
        return quota.seconds_to_wait(received_at, limit=limit, window=self.settings.limit_seconds)

    def _outcome(
        self, request: web.Request, endpoint: Endpoint | None, holder: Holder, now: datetime, fault: Fault
    ) -> _Outcome:
        if fault.body is not None:
            return _Outcome(fault.status, fault.body.encode(), fault.headers, f"scripted: {fault.status}")
        if fault.status != OK:
            return _failure(fault.status, f"scripted: {fault.status}", fault.headers)
        if endpoint is None or request.method != "GET":
            raise ApiError(404, "there is no such endpoint here")
        visit = Visit(
            place=place_of(request, holder),
            customers=holder.customers,
            parts=dict(request.match_info),
            parameters=Parameters(request.query),
            settings=self.settings,
            view=View(self.settings, now),
        )
        return _Outcome(OK, encode(endpoint(visit)), fault.headers)


def _failure(status: int, note: str, headers: Mapping[str, str] = MappingProxyType({})) -> _Outcome:
    return _Outcome(status, encode(document(status)), headers, note)


async def _send(request: web.Request, outcome: _Outcome, fault: Fault) -> web.StreamResponse:
    if fault.breaks is Break.RESET:
        return reset(request)
    if fault.breaks is Break.CUT:
        return await cut_answer(request)
    body = outcome.body[: len(outcome.body) // 2] if fault.breaks is Break.TRUNCATED else outcome.body
    return answer(outcome.status, body, outcome.headers)
