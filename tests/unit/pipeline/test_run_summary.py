"""The log of a report: failures first, in lines that fit Airflow's log viewer."""

import logging
from typing import Any

import pytest
from tests.unit.samples import HOUR, receipt_of

from job_history.ledger.receipt import Counts, Receipt, WindowState
from job_history.model.window import Window
from job_history.pipeline.run_summary import MAX_FAILURES, MAX_ROWS, WIDTH, failures_text, log_run_summary, run_table

LATER = Window(HOUR.start.replace(day=22, hour=3), HOUR.start.replace(day=22, hour=4))


def receipt(user_id: int, name: str, state: str = "complete", window: Window = HOUR, **counts: Any) -> Receipt:
    return receipt_of(WindowState(state), user_id=user_id, name=name, window=window, counts=Counts(**counts))


def test_run_table_is_left_aligned_with_failures_first_and_without_empty_columns() -> None:
    receipts = [
        receipt(5234, "Acme", counted=1_200, delivered=1_199, quarantined={"bad_id": 1}, bytes=8_000),
        receipt(9001, "Wrong database", "failed"),
    ]

    assert run_table(receipts).splitlines() == [
        "state     account              window  counted  delivered  quarantined  size",
        "failed    9001 Wrong database  00:00   0        0          0            0 B",
        "complete  5234 Acme            00:00   1,200    1,199      1            8.0 kB",
    ]


def test_run_table_of_many_windows_has_those_that_need_attention_and_the_number_of_the_others() -> None:
    receipts = [receipt(user_id, "Acme", "complete") for user_id in range(1, 10_000)]
    lines = run_table([*receipts, receipt(10_000, "Globex", "failed")]).splitlines()
    assert (len(lines), lines[1].split()[:2], lines[-1]) == (
        MAX_ROWS + 2,
        ["failed", "10000"],
        "... and 9,800 windows more.",
    )


def test_run_table_fits_the_log_viewer_and_shows_days_if_there_are_several() -> None:
    counts = {"counted": 10**6 - 1, "delivered": 10**6 - 1, "already_present": 10**5, "bytes": 10**11}
    receipts = [
        receipt(12345678, "A name " * 9, "complete_with_quarantine", filtered={"a": 9}, quarantined={"b": 9}, **counts),
        receipt(1, "B", "unrecoverable", LATER),
    ]

    heading, first, second = run_table(receipts).splitlines()

    assert "05-22 03:00" in first
    assert second.startswith("quarantined    12345678 A name")
    assert max(len(line) for line in (heading, first, second)) <= WIDTH


def test_each_failure_is_three_short_lines_without_the_window_in_full() -> None:
    failed = receipt(9001, "Wrong database", "failed")
    problem = (
        f"extract of account 9001 Wrong database, window {HOUR}: {'The database does not hold this account. ' * 4}"
        "Correct source.conn_id."
    )

    lines = failures_text([failed], [problem], "what is not named here was replicated").splitlines()

    assert lines[:2] == [
        "1 place of this run failed; what is not named here was replicated.",
        "FAILED 9001 Wrong database 00:00",
    ]
    assert lines[2].startswith("  extract: The database")
    assert lines[-1] == "  Correct source.conn_id."
    assert max(map(len, lines)) <= WIDTH
    assert HOUR.start_text not in "\n".join(lines)


def test_a_line_break_in_a_cause_forges_no_line() -> None:
    lines = failures_text([], ["Account 1 A: bad\nFAILED 2 B: no. Do it."], "nothing").splitlines()

    assert [line for line in lines if line.startswith("FAILED")] == ["FAILED 1 A"]


def test_very_many_failures_are_counted_and_not_all_written() -> None:
    lines = failures_text([], [f"Account {number} A: no. Do it." for number in range(MAX_FAILURES + 5)], "-")

    assert lines.count("FAILED") == MAX_FAILURES
    assert "and 5 more" in lines


def test_summary_logs_failures_before_the_table_and_the_link_last(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_run_summary([receipt(5234, "Acme", "failed")], ["Account 5234 Acme: no. Do it."], "-", "http://a/status")

    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO", "INFO"]
    assert caplog.records[-1].getMessage().endswith("http://a/status")
