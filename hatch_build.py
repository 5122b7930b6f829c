"""Writes the wheel's description and its Project-URLs, when the wheel is built.

Links of README.md are relative. With PROJECT_URL in the environment (the address of the repository's files, such as
https://git.example.com/audit/job-history/blob/main), they become absolute; without it they name the page in the
installed package, which has docs/ in it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)\s]+)\)")
INSTALLED_DOCS = "job_history_airflow"


class DescriptionHook(MetadataHookInterface):
    """Fills `readme` and `urls`, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        url = os.environ.get("PROJECT_URL", "").rstrip("/")
        readme = (Path(self.root) / "README.md").read_text()
        metadata["readme"] = {"content-type": "text/markdown", "text": description(readme, url)}
        metadata["urls"] = project_urls(url)


def description(readme: str, url: str) -> str:
    """Return the readme without relative links: absolute with a `url`, else as names of installed files."""
    if url:
        return RELATIVE_LINK.sub(rf"\1[\2]({url}/\3)", readme)
    return RELATIVE_LINK.sub(_installed_file, readme)


def project_urls(url: str) -> dict[str, str]:
    if not url:
        return {}
    pages = {"Documentation": "README.md", "Changelog": "CHANGELOG.md", "Operations": "docs/operations.md"}
    return {"Repository": url, **{name: f"{url}/{page}" for name, page in pages.items()}}


def _installed_file(link: re.Match[str]) -> str:
    is_picture, text, target = link.groups()
    if is_picture:
        return text
    page = target.partition("#")[0]
    if not page.startswith("docs/"):
        return text
    installed = f"`{INSTALLED_DOCS}/{page}`"
    return installed if text == page else f"{text} ({installed})"
