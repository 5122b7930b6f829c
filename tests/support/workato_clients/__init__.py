"""Clients of Workato's API that others wrote, run in environments of their own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.client_environments import python_environment

HERE = Path(__file__).parent
CLIENT_SECONDS = 60


def tap(url: str, token: str, *, streams: Collection[str], scratch: Path) -> list[dict[str, Any]]:
    """Run tap-workato; return the Singer messages of those streams. Raises AssertionError with its log.

    Without a catalog the tap would request all its streams, and the simulator does not serve most of them.
    """
    config, catalog = scratch / "config.json", scratch / "catalog.json"
    config.write_text(json.dumps({"api_token": token}))
    known = json.loads(_discovered())
    for stream in known["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = stream["tap_stream_id"] in streams
    catalog.write_text(json.dumps(known))
    printed = _run([*_tap_command(url, config), "--catalog", str(catalog)])
    return [json.loads(line) for line in printed.splitlines()]


def cli(url: str, token: str, *arguments: str, scratch: Path) -> str:
    """Run the command `workato`; return what it prints. Raises AssertionError with its output."""
    return _run(
        [str(python_environment(HERE / "cli.txt").parent / "workato"), *arguments],
        **_cli_environment(url, token, scratch),
    )


def cli_models(url: str, token: str, *, scratch: Path) -> dict[str, Any]:
    """Return the workspace and all its recipes as the command's own strict models read them: keys `user` and
    `recipes`.
    """
    command = [str(python_environment(HERE / "cli.txt")), str(HERE / "cli_models.py")]
    return json.loads(_run(command, **_cli_environment(url, token, scratch)))


def _tap_command(url: str, config: Path) -> list[str]:
    return [str(python_environment(HERE / "tap.txt")), str(HERE / "run_tap.py"), url, "--config", str(config)]


@cache
def _discovered() -> str:
    """Return the catalog of the tap's streams; it needs a configuration for that, but sends no request."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps({"api_token": "none"}))
        return _run([*_tap_command("http://127.0.0.1", config), "--discover"])


def _cli_environment(url: str, token: str, scratch: Path) -> dict[str, str]:
    return {
        "WORKATO_HOST": url,
        "WORKATO_API_TOKEN": token,
        "HOME": str(scratch),
        "WORKATO_DISABLE_KEYRING": "true",
        "WORKATO_DISABLE_UPDATE_CHECK": "1",
        "WORKATO_DISABLE_DEPRECATION_WARNING": "1",
    }


def _run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=CLIENT_SECONDS,
        check=False,
        env=os.environ | environment,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-4_000:]
    return done.stdout
