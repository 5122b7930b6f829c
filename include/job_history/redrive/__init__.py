"""Redrive: what is in quarantine is delivered once its cause is fixed on our side, without asking the source again."""

from job_history.redrive.redrive import Redriven, redrive, was_redriven
from job_history.redrive.steps import DestinationOf

__all__ = ["DestinationOf", "Redriven", "redrive", "was_redriven"]
