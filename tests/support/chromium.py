"""Chromium without a window, as Debian packages it: the browser that the pages are tried in."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from tests.support.debian_packages import have_programs

PACKAGES = ("chromium",)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# The sandbox needs what root in a container does not have; and nothing is to be asked of anybody but the tests' servers.
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@contextmanager
def chromium(directory: Path) -> Iterator[Browser]:
    """Run the browser as long as the block lasts. Raises `PackagesUnavailable` where it cannot be had."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        have_programs("Chromium", ["chromium"], PACKAGES, log_path=directory / "apt-get.log")
        program = shutil.which("chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=_ARGUMENTS) as browser,
    ):
        yield browser
