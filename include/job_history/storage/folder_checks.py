"""Who may replace what is in a folder of this machine, and read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from job_history.errors import PermanentError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.errors.finding import Finding


def check_owner(folder: Path, about: os.stat_result) -> None:
    """Raise PermanentError if someone else owns the folder."""
    if about.st_uid not in {0, os.geteuid()}:
        raise PermanentError(
            f"The folder {folder} belongs to user {about.st_uid}, and this process runs as user {os.geteuid()}: its "
            f"owner could replace receipts and staged files. Run `chown -R {os.geteuid()} {folder}`, or name another "
            "folder."
        )


def check_member(folder: Path, about: os.stat_result) -> None:
    """Raise PermanentError if this process is not in the group that shares the folder."""
    if os.geteuid() != 0 and about.st_gid not in {os.getegid(), *os.getgroups()}:
        raise PermanentError(
            f"The folder {folder} is shared by group {about.st_gid}, and user {os.geteuid()} of this process is not in "
            "it. Add the user to the group, or give the folder to a group that all workers are in (chgrp)."
        )


def check_writers(folder: Path, about: os.stat_result) -> None:
    """Raise PermanentError if everyone may replace what is in the folder."""
    if _everyone_can_replace(about):
        raise PermanentError(
            f"Every user of this machine can replace files in the folder {folder}. Run `chmod o-rwx {folder}`, or name "
            "another folder."
        )


def check_parents(folder: Path) -> None:
    """Raise PermanentError if everyone may put another folder in the place of this one, or of one above it."""
    for parent in folder.resolve().parents:
        if _everyone_can_replace(parent.stat()):
            raise PermanentError(
                f"Every user of this machine can replace the folder {folder}, because {parent} is open to them. Run "
                f"`chmod o-w {parent}` or `chmod +t {parent}`, or name another folder."
            )


def _everyone_can_replace(about: os.stat_result) -> bool:
    return bool(about.st_mode & stat.S_IWOTH and not about.st_mode & stat.S_ISVTX)


def folder_findings(folder: Path, *, shared_group: bool) -> list[Finding]:
    """Return a warning if other users can read the folder, or its group can write to it without `shared_group`."""
    mode = folder.stat().st_mode
    takes = ["g-w"] if mode & stat.S_IWGRP and not shared_group else []
    takes += ["o-rwx"] if mode & stat.S_IRWXO else []
    if not takes:
        return []
    command = f"chmod {','.join(takes)} {folder}"
    about = f"Folder {folder}"
    return [finding(Code.FOLDER_OPEN_TO_OTHERS, about, mode=f"{stat.S_IMODE(mode):04o}", command=command)]
