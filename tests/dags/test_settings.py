"""The section [job_history]: a value that an option cannot have is an error that names the option."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from job_history.errors import PermanentError
from job_history_airflow.settings import read_settings


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_jobs_per_convoy", "-1"),
        ("max_jobs_per_convoy", "many"),
        ("max_accounts_per_convoy", "0"),
        ("max_accounts_per_convoy", "5_0"),
        ("max_accounts_per_convoy", "9" * 5_000),
        ("max_jobs_per_slice", "1e3"),
        ("settle_minutes", "9" * 20),
        ("settle_minutes", "9" * 11),
        ("lookback_hours", "9" * 20),
        ("lookback_hours", "9" * 11),
        ("upload_concurrency", ""),
    ],
)
def test_a_number_that_an_option_cannot_have_is_named(
    airflow_home: Path, settings: SimpleNamespace, option: str, value: str
) -> None:
    settings.ours(**{option: value})
    with pytest.raises(PermanentError) as raised:
        read_settings()

    assert str(raised.value).startswith(f"[job_history] {option} ")
    assert len(str(raised.value)) < 200


def test_no_number_of_jobs_in_a_convoy_is_a_value(airflow_home: Path, settings: SimpleNamespace) -> None:
    settings.ours(max_jobs_per_convoy="0", settle_minutes="0")

    assert read_settings().max_jobs_per_convoy == 0
