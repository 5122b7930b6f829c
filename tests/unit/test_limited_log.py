"""Lines about one account each are cut in a log, and their number is given."""

from __future__ import annotations

import logging

import pytest

from job_history.limited_log import LimitedLog

log = logging.getLogger("job_history.limited")


@pytest.mark.parametrize(
    ("number", "more"), [(3, []), (4, ["... and 1 more like these."]), (5_003, ["... and 5,000 more like these."])]
)
def test_a_block_logs_the_first_messages_and_how_many_more_there_are(
    caplog: pytest.LogCaptureFixture, number: int, more: list[str]
) -> None:
    caplog.set_level(logging.INFO, log.name)
    with LimitedLog(log, at_most=3) as lines:
        for account in range(number):
            lines.info("Account %s", account)

    assert caplog.messages == ["Account 0", "Account 1", "Account 2", *more]


def test_the_last_line_has_the_worst_level_of_what_it_stands_for(caplog: pytest.LogCaptureFixture) -> None:
    with LimitedLog(log, at_most=0) as lines:
        lines.warning("a")
        lines.error("b")
        lines.warning("c")

    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [("ERROR", "... and 3 more like these.")]


def test_without_a_block_the_cut_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    lines = LimitedLog(log, at_most=1)
    for account in range(5):
        lines.error("Account %s", account)

    assert caplog.messages == ["Account 0", "Further messages like these are left out."]
