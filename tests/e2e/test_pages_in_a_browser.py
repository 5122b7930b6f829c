"""The two pages in the UI of a running Airflow, in a real browser."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect
from tests.support.chromium import chromium
from tests.unit.samples import receipt_of

from job_history.accounts.variable import read_accounts
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.ledger.receipt import Counts, RunEntry, WindowState
from job_history.ledger.receipt_store import record
from job_history.model.window import Window
from job_history.storage import local_storage
from job_history_airflow.ui.setup.account_entries import entry_ids
from simulators.job_store import fill, plain_job
from simulators.processes import ChildProcess, free_port

from .conftest import BUCKET, DAG_ID, HOUR, PAST_DAY, Installation, account

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(400)]

SCRIPT = '<script>window.ran = true</script><img src="x" onerror="window.ran = true">'
START = PAST_DAY + 20 * HOUR
UNTIL = (START + 4 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")
USERS = {"ona": "op", "vic": "viewer"}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="module")
def api_server_with_users(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A second API server of the same Airflow, which asks who people are."""
    folder = tmp_path_factory.mktemp("users")
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({name: f"password of {name}" for name in USERS}))
    port = free_port()
    environment = {
        **installation.stack.environment,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
    }
    with ChildProcess(
        [sys.executable, "-P", "-m", "airflow", "api-server"],
        log_path=folder / "api-server.log",
        ready=port,
        environment=environment,
        start_seconds=120,
    ):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def new_page(browser: Browser, **options: object) -> Iterator[Page]:
    """A page of a fresh browser context. The test fails if the content security policy blocked anything."""
    stopped: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on(
            "console", lambda detail: stopped.append(detail.text) if "Content Security Policy" in detail.text else None
        )
        yield page
    finally:
        context.close()
    assert stopped == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as fresh:
        yield fresh


def opened(page: Page, url: str, menu: str, item: str) -> FrameLocator:
    """Go to a page by the navigation of the UI, and return the frame that it is in."""
    page.goto(url)
    page.get_by_role("button", name=menu).first.click()
    page.get_by_role("menuitem", name=item).click()
    return page.frame_locator(f'iframe[title="{item}"]')


@pytest.mark.promise("ui-browser")
def test_an_account_is_set_up_tested_saved_run_and_shown_as_complete(installation: Installation, page: Page) -> None:
    api = installation.stack.api
    api.unpause(DAG_ID)
    installation.set_accounts([account(5234, "Acme")])
    with installation.postgres.psycopg_connection("job_store") as connection:
        jobs = [plain_job(77, START, 700 + number)._replace(title=SCRIPT) for number in range(3)]
        fill(connection, "postgresql", jobs)

    _set_up(page, installation.stack.url)
    accounts = read_accounts(api.get("/variables/job_history_accounts")["value"])
    assert (sorted(accounts.usable), accounts.usable[77].events.line_details) == ([77, 5234], False)
    assert api.get("/eventLogs", event="job_history_accounts_added")["total_entries"] >= 1

    status = opened(page, installation.stack.url, "Browse", "Replication status")
    expect(status.get_by_role("rowheader", name="77 <script>")).to_be_visible()
    page.goto(f"{installation.stack.url}/plugin/job-history-status/job-history/status?until={UNTIL}")
    row = status.get_by_role("row").filter(has=status.get_by_role("rowheader", name="77 <script>"))
    cell = row.locator(f'a[href*="start={START:%Y-%m-%dT%H}"]')
    expect(cell).to_contain_text("open")
    cell.click()
    status.get_by_role("button", name="Start a run").click()
    assert api.wait_run(DAG_ID, status.get_by_role("status").get_by_role("link").inner_text()).state == "success"

    page.goto(f"{installation.stack.url}/plugin/job-history-status/job-history/status?until={UNTIL}")
    expect(cell).to_contain_text("complete, 3 listed")
    documents = installation.objects("77/jobs/")
    assert sorted(json.loads(document)["title"] for document in documents.values()) == [SCRIPT] * 3
    # Links of a receipt lead out of the frame: to the task's log.
    cell.click()
    expect(status.get_by_role("cell", name="complete", exact=True)).to_be_visible()
    # Nothing of what was stored as a script has run, in the frame or around it.
    assert page.evaluate("[window.ran, frames[0].ran]") == [None, None]
    status.get_by_role("link", name="shared.load").click()
    page.wait_for_url(lambda url: "/tasks/shared.load/mapped/0" in url and "/plugin/" not in url)


def _set_up(page: Page, url: str) -> None:
    """Enter an account, wrong at first, test it, look at the preview, and save it."""
    setup = opened(page, url, "Admin", "Audit log replication")
    setup.get_by_role("link", name="Add an account").click()
    setup.get_by_label("Workspace id").fill("77")
    setup.get_by_label("Name required").fill(SCRIPT)
    destination = setup.get_by_role("combobox", name="Audit log destination")
    # Another kind of destination has a bucket too.
    bucket = setup.get_by_role("group", name="Amazon S3 bucket").get_by_role("textbox", name="Bucket")
    destination.select_option(label="Sumo Logic HTTP source")
    expect(bucket).to_have_count(0)
    destination.select_option(label="Amazon S3 bucket")
    s3 = setup.get_by_role("group", name="Amazon S3 bucket")
    offered = s3.locator("datalist option").evaluate_all("options => options.map(option => option.value)")
    assert offered == ["local_s3"]
    s3.get_by_label("Connection").fill("local_s3")
    bucket.fill("No_Bucket")
    setup.get_by_role("group", name="SQL job store").get_by_label("Connection").fill("job_store")

    setup.get_by_role("button", name="Save").click()
    refused = setup.locator("#destination-s3-bucket-error")
    expect(refused).to_contain_text("not a legal bucket name")
    expect(bucket).to_have_attribute("aria-invalid", "true")
    setup.get_by_role("link", name="Bucket").click()
    expect(bucket).to_be_focused()
    expect(setup.get_by_label("Workspace id")).to_have_value("77")

    test = setup.get_by_role("button", name="Test connection")
    bucket.fill("mistyped-bucket")
    expect(refused).to_have_count(0)
    expect(bucket).not_to_have_attribute("aria-invalid", "true")
    test.click()
    expect(setup.get_by_text("S3_NO_SUCH_BUCKET")).to_be_visible()
    bucket.fill(BUCKET)
    test.click()
    expect(setup.get_by_text("No problem was found")).to_be_visible()
    setup.get_by_role("button", name="Preview a sample job").click()
    expect(setup.get_by_text("77/jobs/234/20180521/000/000/000/000/000/000/100/")).to_be_visible()
    # By its keyboard alone: a switch is a checkbox.
    setup.get_by_role("switch", name="Input, output and error details").focus()
    page.keyboard.press("Space")
    setup.get_by_role("button", name="Save").click()
    expect(setup.get_by_text("The account was added")).to_be_visible()
    expect(setup.get_by_role("rowheader", name=f"77 {SCRIPT}")).to_be_visible()


@pytest.mark.promise("ui-browser")
def test_viewer_editor_and_anonymous(installation: Installation, browser: Browser, api_server_with_users: str) -> None:
    installation.set_accounts([account(5234, "Acme")])

    def signed_in(page: Page, name: str) -> FrameLocator:
        page.goto(f"{api_server_with_users}/auth/login")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(f"password of {name}")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/auth/login" not in url)
        return opened(page, api_server_with_users, "Admin", "Audit log replication")

    with new_page(browser) as page:
        answer = page.goto(f"{api_server_with_users}/job-history/setup")
        assert answer is not None
        assert answer.status == 401
        expect(page.get_by_text("Acme")).to_have_count(0)
    with new_page(browser) as page:
        viewers = signed_in(page, "vic")
        expect(viewers.get_by_text("You may not see the Airflow Variable job_history_accounts")).to_be_visible()
        expect(viewers.get_by_text("Acme")).to_have_count(0)
        viewers.get_by_role("link", name="Status").click()
        expect(viewers.get_by_role("rowheader", name="5234 Acme")).to_be_visible()
    with new_page(browser) as page:
        editors = signed_in(page, "ona")
        editors.get_by_role("button", name="Pause 5234 Acme").click()
        expect(editors.get_by_text("The account is paused")).to_be_visible()
        expect(editors.get_by_role("button", name="Resume 5234 Acme")).to_be_visible()


@pytest.mark.promise("ui-browser")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_theme_of_the_ui(
    installation: Installation, browser: Browser, theme: str
) -> None:
    accounts = [account(5234, "Acme"), account(5235, "Paused", enabled=False), {"user_id": "broken"}]
    installation.set_accounts(accounts)
    window = f"start={PAST_DAY:%Y-%m-%dT%H:%M:%SZ}&end={PAST_DAY + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    other = "light" if theme == "dark" else "dark"
    found = {}
    # The system prefers the other one; what is set in the UI counts.
    with new_page(browser, color_scheme=other) as page:
        page.goto(f"{installation.stack.url}/job-history/setup")
        page.evaluate(f"localStorage.setItem('theme', '{theme}')")
        for path in (
            "setup",
            "setup/accounts/new",
            f"setup/accounts/{entry_ids(accounts)[-1]}",
            "status?until=2018-05-22T00:00:00Z",
            "status?span=7d",
            f"status/windows/5234/jobs?{window}",
        ):
            page.goto(f"{installation.stack.url}/job-history/{path}")
            assert page.evaluate("document.documentElement.dataset.theme") == theme
            results = Axe().run(page).response
            assert results["passes"]
            found[path] = [
                (violation["id"], [node["html"] for node in violation["nodes"]])
                for violation in results["violations"]
                if violation["impact"] in {"serious", "critical"}
            ]
    assert found == {path: [] for path in found}


def test_nothing_is_wider_than_a_phone(installation: Installation, browser: Browser) -> None:
    installation.set_accounts([account(5234, "Acme"), account(5235, "Globex")])
    with new_page(browser, is_mobile=True, has_touch=True) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        for path in ("setup", "setup/accounts/5234", "status", "status?span=30d"):
            page.goto(f"{installation.stack.url}/job-history/{path}")
            assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.promise("ui-browser")
@pytest.mark.parametrize("width", [1208, 390])
def test_newest_hour_and_last_error_are_seen_without_scrolling(
    installation: Installation, browser: Browser, width: int
) -> None:
    """Beside the menu of the UI, 1,208 of 1,280 px are left for the page."""
    hour = set_failed_hour(installation, Code.S3_NO_SUCH_BUCKET, detail="404")
    with new_page(browser) as page:
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"{installation.stack.url}/job-history/status?until={UNTIL}")
        seen = [page.locator(f'a[href*="start={hour.start:%Y-%m-%dT%H}"]').first]
        if width > 1000:
            seen.append(page.get_by_text("S3_NO_SUCH_BUCKET", exact=True))
        for each in seen:
            box = each.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width


@pytest.mark.promise("ui-browser")
def test_on_a_phone_the_grid_and_its_legend_come_before_the_sums(installation: Installation, browser: Browser) -> None:
    installation.set_accounts([account(5234, "Acme")])
    with new_page(browser, is_mobile=True, has_touch=True) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"{installation.stack.url}/job-history/status")
        tops = [height_of(page, selector)[0] for selector in ("table.grid", ".legend", ".sums")]
        assert max(tops[:2]) < tops[2]


@pytest.mark.promise("ui-browser")
@pytest.mark.parametrize("width", [1208, 390])
def test_the_code_of_an_error_is_not_broken_and_remove_does_not_stretch_edit(
    installation: Installation, browser: Browser, width: int
) -> None:
    set_failed_hour(installation, Code.STORE_CREATE_ONLY_IGNORED, detail="409", key="a")
    with new_page(browser) as page:
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"{installation.stack.url}/job-history/status?until={UNTIL}")
        code = page.locator("td.error code").first
        line = code.evaluate("each => parseFloat(getComputedStyle(each).fontSize)")
        assert height_of(page, "td.error code")[1] < 2 * line

        page.goto(f"{installation.stack.url}/job-history/setup")
        row = page.get_by_role("row").filter(has_text="5234")
        edit = row.get_by_role("link", name="Edit")
        before = edit.bounding_box()
        row.locator("summary").filter(has_text="Remove").click()
        expect(row.get_by_role("button", name="Remove")).to_be_visible()
        after = edit.bounding_box()
        assert before is not None
        assert after is not None
        assert (after["width"], after["height"]) == (before["width"], before["height"])


def set_failed_hour(installation: Installation, code: Code, **facts: str) -> Window:
    """Have one account, whose newest hour failed in its load."""
    hour = Window(START + 3 * HOUR, START + 4 * HOUR)
    fault = str(finding(code, f"load of account 5234 Acme, window {hour}", **facts))
    entry = RunEntry("by-hand", hour.end_text, WindowState.FAILED, Counts(), [fault])
    installation.set_accounts([account(5234, "Acme")])
    failed = receipt_of(WindowState.FAILED, user_id=5234, name="Acme", window=hour, runs=[entry])
    record(local_storage(installation.ledger), failed)
    return hour


def height_of(page: Page, selector: str) -> tuple[float, float]:
    """Return where an element begins, and its height, in pixels."""
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["y"], box["height"]
