"""The platform's Developer API as a source, for a workspace or for an embedded partner's customers."""

from job_history.sources.workato.checkpoint import Checkpoint
from job_history.sources.workato.client import RETRIES, WorkatoClient
from job_history.sources.workato.endpoint import DEFAULT_BASE_URL, Endpoint, endpoint_of
from job_history.sources.workato.event_source import WorkatoEventSource
from job_history.sources.workato.job_source import WorkatoSource
from job_history.sources.workato.rate_limiter import (
    ACTIVITY_REQUESTS_A_MINUTE,
    DIRECT_REQUESTS_A_MINUTE,
    EMBEDDED_REQUESTS_A_MINUTE,
    RateLimiter,
    SharedRateLimiter,
    Unlimited,
)

__all__ = [
    "ACTIVITY_REQUESTS_A_MINUTE",
    "DEFAULT_BASE_URL",
    "DIRECT_REQUESTS_A_MINUTE",
    "EMBEDDED_REQUESTS_A_MINUTE",
    "RETRIES",
    "Checkpoint",
    "Endpoint",
    "RateLimiter",
    "SharedRateLimiter",
    "Unlimited",
    "WorkatoClient",
    "WorkatoEventSource",
    "WorkatoSource",
    "endpoint_of",
]
