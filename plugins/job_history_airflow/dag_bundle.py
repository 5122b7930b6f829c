"""The project's DAGs as a DAG bundle: Airflow finds them in the installed package, and no file is copied."""

from __future__ import annotations

from pathlib import Path

from airflow.dag_processing.bundles.base import BaseDagBundle

DAG_FILES = Path(__file__).parent / "dag_files"


class JobHistoryDagBundle(BaseDagBundle):
    """The DAG files of the installed package. Their version is the package's, so Airflow tracks none."""

    supports_versioning = False

    @property
    def path(self) -> Path:
        return DAG_FILES

    def get_current_version(self) -> None:
        return None

    def refresh(self) -> None:
        """There is nothing to refresh: a new version is another installation of the package."""
