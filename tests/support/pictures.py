"""Takes the pictures of docs/pictures: `make up`, then `python -m tests.support.pictures http://127.0.0.1:8080`, once
the last full hour is replicated. Names after the address take these alone.

Look at each: nothing else does.
"""

import json
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page
from tests.support.chromium import chromium

from job_history_airflow.dag_ids import REPLICATION_DAG
from simulators.project import ROOT

FOLDER = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 900
GRAPH_HEIGHT = 420
SECONDS_TO_DRAW = 3
MILLISECONDS_TO_ANSWER = 120_000
STATUS, SETUP = "/plugin/job-history-status", "/plugin/job-history-setup"


def wait_for_page(page: Page) -> None:
    """Wait for one of our pages, which Airflow shows in a frame."""
    page.frame_locator("iframe").locator("main table, main form").first.wait_for(timeout=MILLISECONDS_TO_ANSWER)


def open_graph(page: Page) -> None:
    """Show the graph alone, with what is in its groups."""
    _click(page, "Show Graph (Press g)")
    _click(page, "Expand all task groups")
    _click(page, "Collapse Details Panel")
    # It would lie over the last tasks.
    page.add_style_tag(content=".react-flow__minimap { display: none }")
    page.wait_for_timeout(1_000 * SECONDS_TO_DRAW)
    _click(page, "Fit View")


def open_log(page: Page) -> None:
    """Show the log of a task alone, from its beginning."""
    _click(page, "Press f for fullscreen")
    page.wait_for_timeout(1_000 * SECONDS_TO_DRAW)
    page.get_by_role("button", name="scroll to top").last.click(timeout=MILLISECONDS_TO_ANSWER)


class Picture(NamedTuple):
    """`path`: in the UI; `{run}` is the newest hourly run. `show`: shows what the picture is about."""

    path: str
    theme: str
    show: Callable[[Page], None] = wait_for_page
    height: int = HEIGHT


RUN = f"/dags/{REPLICATION_DAG}/runs/{{run}}"
PICTURES = {
    "status-light": Picture(STATUS, "light"),
    "status-dark": Picture(STATUS, "dark"),
    "accounts-dark": Picture(SETUP, "dark"),
    "account-light": Picture(f"{SETUP}/job-history/setup/accounts/5234", "light"),
    "graph-light": Picture(RUN, "light", open_graph, GRAPH_HEIGHT),
    "convoy-log-light": Picture(f"{RUN}/tasks/shared.load/mapped/0", "light", open_log),
}


def take(browser: Browser, url: str, run: str, name: str) -> None:
    """Take one picture, in light or dark."""
    picture = PICTURES[name]
    context = browser.new_context(viewport={"width": WIDTH, "height": picture.height}, color_scheme=picture.theme)
    page = context.new_page()
    page.goto(url)
    page.evaluate(f"localStorage.setItem('theme', '{picture.theme}')")
    page.goto(f"{url}{picture.path.format(run=run)}")
    picture.show(page)
    page.wait_for_timeout(1_000 * SECONDS_TO_DRAW)
    page.screenshot(path=FOLDER / f"{name}.png")
    context.close()


def newest_run(url: str) -> str:
    """Return the id of the newest hourly run."""
    asked = f"{url}/api/v2/dags/{REPLICATION_DAG}/dagRuns?order_by=-run_after&limit=1"
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - the address is given by hand
        [run] = json.load(answer)["dag_runs"]
    return str(run["dag_run_id"])


def _click(page: Page, label: str) -> None:
    page.get_by_role("button", name=label).first.click(timeout=MILLISECONDS_TO_ANSWER)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder)) as running:
        for each in sys.argv[2:] or PICTURES:
            take(running, sys.argv[1], newest_run(sys.argv[1]), each)
