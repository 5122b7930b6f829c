"""The clients of Splunk and Datadog themselves, run in environments of their own."""

from __future__ import annotations

from pathlib import Path

from tests.support import client_environments

HERE = Path(__file__).parent


def python_environment() -> Path:
    """Return the interpreter that has Datadog's client. Raises PackagesUnavailable."""
    return client_environments.python_environment(HERE / "requirements.txt")


def node_modules() -> Path:
    """Return the folder that has Splunk's client. Raises PackagesUnavailable."""
    return client_environments.node_modules(HERE / "package.json")
