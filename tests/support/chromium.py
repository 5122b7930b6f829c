"""Headless Chromium from Debian: the browser for the tests of the pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from tests.support.debian_packages import have_programs

PACKAGES = ("chromium",)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# The sandbox needs rights that root in a container does not have; the browser must send requests to the tests' servers
# only.
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@contextmanager
def chromium(directory: Path) -> Iterator[Browser]:
    """Run the browser while the block lasts. Raises `PackagesUnavailable`."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        have_programs("Chromium", ["chromium"], PACKAGES, log_path=directory / "apt-get.log")
        program = shutil.which("chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=_ARGUMENTS) as browser,
    ):
        yield browser
