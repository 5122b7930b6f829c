"""Style sheet and scripts of the pages, for users who may see the pages."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, status
from fastapi.responses import FileResponse

from job_history_airflow.ui.access import Viewer

FOLDER = Path(__file__).parent / "assets"
_KNOWN = frozenset(path.name for path in FOLDER.iterdir())

router = APIRouter(include_in_schema=False)


@router.get("/assets/{name}")
def asset(name: str, user: Viewer) -> FileResponse:  # noqa: ARG001 - for the check of rights
    if name not in _KNOWN:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    return FileResponse(FOLDER / name, headers={"Cache-Control": "private, no-cache"})
