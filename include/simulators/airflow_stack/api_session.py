"""Requests to Airflow's REST API, by paths: JSON in, JSON out."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import requests

_REQUEST_SECONDS = 60
_PAGE = 100


class AirflowApiError(RuntimeError):
    """Airflow refused a request, or something did not happen in time."""

    def __init__(self, message: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


class ApiSession:
    """A session with the Airflow at `url`. Every method raises `AirflowApiError`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between us and 127.0.0.1

    def get(self, path: str, **query: Any) -> Any:
        """GET a path below /api/v2 (or /ui, /auth, a plugin's own), decoded from JSON."""
        return self._request("GET", path, params=query)

    def post(self, path: str, json: Mapping[str, Any]) -> Any:
        return self._request("POST", path, json=json)

    def patch(self, path: str, json: Mapping[str, Any]) -> Any:
        return self._request("PATCH", path, json=json)

    def put(self, path: str) -> Any:
        return self._request("PUT", path)

    def delete(self, path: str) -> Any:
        return self._request("DELETE", path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.close()

    def _pages(self, path: str, name: str, **query: Any) -> list[Any]:
        items: list[Any] = []
        while True:
            page = self.get(path, limit=_PAGE, offset=len(items), **query)
            items += page[name]
            if not page[name] or len(items) >= page["total_entries"]:
                return items

    def _request(self, method: str, path: str, **arguments: Any) -> Any:
        prefix = "" if path.startswith(("/ui/", "/auth/", "/api/")) else "/api/v2"
        response = self._session.request(method, f"{self.url}{prefix}{path}", timeout=_REQUEST_SECONDS, **arguments)
        if not response.ok:
            raise AirflowApiError(
                f"{method} {path} was answered with {response.status_code}: {response.text[:2000]}",
                response.status_code,
            )
        return response.json() if response.content else None
