"""Azurite, Microsoft's emulator of Azure Blob Storage, and Airflow's provider with Azure's client, installed once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.client_environments import UV, make_once, node_modules, run_installer

from simulators.processes import ChildProcess, free_port

HERE = Path(__file__).parent
ACCOUNT = "devstoreaccount1"
# The key that Microsoft's documentation publishes for the emulator.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class Azurite:
    """A running emulator: a judge of what we send, and of how we read its answers."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def service(self) -> Any:
        """Azure's own client."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient(self.url, credential=KEY)


@contextmanager
def azurite(directory: Path) -> Iterator[Azurite]:
    """Run the emulator as long as the block lasts. Raises PackagesUnavailable if it cannot be installed."""
    install_provider()
    found = Azurite(free_port())
    program = node_modules(HERE / "package.json") / ".bin" / "azurite-blob"
    command = [str(program), "--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    command += ["--blobHost", "127.0.0.1", "--blobPort", str(found.port)]
    with ChildProcess(command, log_path=directory / "azurite.log", ready=found.port):
        yield found


def install_provider() -> None:
    """Make both importable here, without what the provider requires for other services of Azure: that would replace
    packages of the lock.
    """

    def install(folder: Path) -> None:
        run_installer(UV, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target",
                      str(folder), "--requirement", str(HERE / "requirements.txt"))  # fmt: skip

    folder = str(make_once("azure", "provider", HERE / "requirements.txt", install))
    if folder not in sys.path:
        import airflow.providers

        sys.path.append(folder)
        airflow.__path__.append(f"{folder}/airflow")
        airflow.providers.__path__ = [*airflow.providers.__path__, f"{folder}/airflow/providers"]
