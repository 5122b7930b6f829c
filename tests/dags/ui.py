"""Airflow's API server with the project's pages, in this process, with its own log-in and its own database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

USERS = {"ada": "admin", "ona": "op", "uma": "user", "vic": "viewer"}


def account(user_id: int = 5234, name: str = "Acme", **changes: Any) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": name,
        "enabled": True,
        "source": {"type": "sql", "conn_id": "job_store"},
        "destination": {"type": "s3", "conn_id": "acme_s3", "bucket": "acme-audit"},
        "events": {"job_history": True, "line_details": True, "admin_events": False},
        **changes,
    }


class Browser:
    """The browser of a user: a session cookie, pages, forms. Anonymous without a token."""

    def __init__(self, client: TestClient, token: str | None) -> None:
        self._client = client
        self._cookies = {"_token": token} if token else {}

    def get(self, path: str, *, accept: str = "text/html") -> httpx.Response:
        return self._send("GET", path, accept)

    def post(self, path: str, data: dict[str, str], *, accept: str = "text/html") -> httpx.Response:
        return self._send("POST", path, accept, data=data)

    def form(self, path: str) -> dict[str, str]:
        """What the inputs of a page's form hold."""
        page = self.get(path)
        assert page.status_code == 200, page.text
        return inputs(page.text)

    def send(self, method: str, path: str, data: dict[str, str] | None = None) -> httpx.Response:
        return self._send(method, path, "application/json", data=data)

    def _send(self, method: str, path: str, accept: str, **what: Any) -> httpx.Response:
        headers = {"accept": accept, "cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        return self._client.request(method, f"/job-history{path}", headers=headers, follow_redirects=False, **what)


class Pages:
    """The running pages, and what a test sets up and looks at around them."""

    def __init__(self, client: TestClient, home: Path) -> None:
        self._client = client
        self._passwords = json.loads((home / "simple_auth_manager_passwords.json.generated").read_text())

    def as_user(self, name: str) -> Browser:
        answer = self._client.post("/auth/token", json={"username": name, "password": self._passwords[name]})
        assert answer.status_code == 201, answer.text
        return Browser(self._client, answer.json()["access_token"])

    def anonymous(self) -> Browser:
        return Browser(self._client, None)

    @property
    def accounts(self) -> list[Any] | None:
        """The Variable's list, or None if there is no such Variable."""
        text = self.accounts_text
        return None if text is None else json.loads(text)

    @property
    def accounts_text(self) -> str | None:
        from airflow.models.variable import Variable
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            variable = session.scalar(select(Variable).where(Variable.key == "job_history_accounts"))
            return None if variable is None else variable.get_val()

    def set_accounts(self, accounts: list[Any] | str) -> None:
        from airflow.models.variable import Variable

        Variable.set("job_history_accounts", accounts if isinstance(accounts, str) else json.dumps(accounts))

    def audit_log(self) -> list[tuple[str, str, dict[str, Any]]]:
        """User, event and details of each entry, the oldest first."""
        from airflow.models.log import Log
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            entries = session.scalars(select(Log).where(Log.event.startswith("job_history")).order_by(Log.id))
            return [(entry.owner, entry.event, json.loads(entry.extra)) for entry in entries]

    def clear(self) -> None:
        from airflow.models.connection import Connection
        from airflow.models.log import Log
        from airflow.models.variable import Variable
        from airflow.utils.session import create_session
        from sqlalchemy import delete

        with create_session() as session:
            for model in (Variable, Log, Connection):
                session.execute(delete(model))

    def connect(self, conn_id: str, conn_type: str, **fields: Any) -> None:
        from airflow.models.connection import Connection
        from airflow.utils.session import create_session

        with create_session() as session:
            session.add(Connection(conn_id=conn_id, conn_type=conn_type, **fields))


@contextmanager
def running_pages(home: Path) -> Iterator[Pages]:
    with pytest.MonkeyPatch.context() as patch:
        users = ",".join(f"{name}:{role}" for name, role in USERS.items())
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", users)
        patch.setenv("AIRFLOW__API__SECRET_KEY", "of-this-test-run")
        from airflow.api_fastapi.app import create_app

        yield Pages(TestClient(create_app(apps="core")), home)


def inputs(page: str) -> dict[str, str]:
    """What a browser would send of the page's first form that is filled in by hand."""
    _, _, form = page.partition('<form class="account"')
    form = form.partition("</form>")[0]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        attributes = {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        if attributes.get("type") != "checkbox" or " checked" in tag:
            found[attributes["name"]] = attributes.get("value", "")
    for name, text in re.findall(r'<textarea [^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found[name] = unescape(text)
    for attributes, options in re.findall(r"<select ([^>]*)>(.*?)</select>", form, re.DOTALL):
        name = re.findall(r'name="([^"]*)"', attributes)[0]
        chosen = re.findall(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        first = re.findall(r'<option(?: value="([^"]*)")?>([^<]*)', options)
        value, text = (chosen or first)[0]
        found[name] = unescape(value or ("" if text == "-" else text))
    return found
