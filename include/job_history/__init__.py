"""Replicates finished jobs to a destination: account, window, jobs, documents, destination, receipt.

Imports no Airflow.
"""

__version__ = "0.1.0"
