"""Takes the pictures of docs/pictures: `make up`, then `python -m tests.support.pictures http://127.0.0.1:8080`, once
the last full hour is replicated.

Look at each: nothing else does.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser
from tests.support.chromium import chromium

from simulators.project import ROOT

FOLDER = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 900
SECONDS_TO_DRAW = 3
STATUS, SETUP = "/plugin/job-history-status", "/plugin/job-history-setup"
PICTURES = {
    "status-light": (STATUS, "light"),
    "status-dark": (STATUS, "dark"),
    "accounts-dark": (SETUP, "dark"),
    "account-light": (f"{SETUP}/job-history/setup/accounts/5234", "light"),
}


def take(browser: Browser, url: str, path: str, theme: str, name: str) -> None:
    """Take one picture of a page in the UI, in light or dark."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=theme)
    page = context.new_page()
    page.goto(url)
    page.evaluate(f"localStorage.setItem('theme', '{theme}')")
    page.goto(f"{url}{path}")
    page.frame_locator("iframe").locator("main table, main form").first.wait_for(timeout=120_000)
    page.wait_for_timeout(1_000 * SECONDS_TO_DRAW)
    page.screenshot(path=FOLDER / f"{name}.png")
    context.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder)) as running:
        for picture, (path, theme) in PICTURES.items():
            take(running, sys.argv[1], path, theme, picture)
