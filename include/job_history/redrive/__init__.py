"""Redrive: records in quarantine become documents after all, once what kept them from it is mended on our side."""

from job_history.redrive.redrive import Redriven, redrive, was_redriven
from job_history.redrive.steps import Means

__all__ = ["Means", "Redriven", "redrive", "was_redriven"]
