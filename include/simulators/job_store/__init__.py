"""A sample job store: what a customer's integration platform would hold, for the demo, the tests and the benchmarks."""

from .database import fill, fill_events
from .demo import DEMO_ACCOUNTS, DEMO_SEED, DemoAccount, demo_store
from .events import sample_events
from .rows import SampleEvent, SampleJob, SampleLine
from .sample import Style, sample_jobs
from .schema import create, create_indexes
from .small import small_jobs
from .special import BROKEN_JOBS, broken_jobs, example_job, oversize_job, plain_job

__all__ = [
    "BROKEN_JOBS",
    "DEMO_ACCOUNTS",
    "DEMO_SEED",
    "DemoAccount",
    "SampleEvent",
    "SampleJob",
    "SampleLine",
    "Style",
    "broken_jobs",
    "create",
    "create_indexes",
    "demo_store",
    "example_job",
    "fill",
    "fill_events",
    "oversize_job",
    "plain_job",
    "sample_events",
    "sample_jobs",
    "small_jobs",
]
