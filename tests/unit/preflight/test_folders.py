"""Folders of ledger and staging that other users of the machine can use."""

from pathlib import Path

import pytest

from job_history.errors.code import Code, Severity
from job_history.storage.folder_checks import folder_findings


@pytest.mark.parametrize(
    ("mode", "shared_group", "command"),
    [
        (0o700, False, None),
        (0o755, False, "chmod o-rwx"),
        (0o770, False, "chmod g-w"),
        (0o775, False, "chmod g-w,o-rwx"),
        (0o770, True, None),
        (0o775, True, "chmod o-rwx"),
    ],
)
def test_a_folder_open_to_others_is_a_warning_with_the_command_that_closes_it(
    tmp_path: Path, mode: int, shared_group: bool, command: str | None
) -> None:
    tmp_path.chmod(mode)

    found = folder_findings(tmp_path, shared_group=shared_group)

    assert [(each.code, each.severity) for each in found] == (
        [(Code.FOLDER_OPEN_TO_OTHERS, Severity.WARNING)] if command else []
    )
    assert command is None or f"`{command} {tmp_path}`" in found[0].cause
