"""Reading the query of a request; what cannot be read is a bad request (400), which is our choice where unknown."""

from __future__ import annotations

from datetime import UTC, datetime

from multidict import MultiMapping

from .answers import ApiError

_YES, _NO = {"true", "1"}, {"false", "0", ""}


class Parameters:
    """A request's query; names that are not asked for are ignored, as the service does with clients' extra ones."""

    def __init__(self, query: MultiMapping[str]) -> None:
        self._query = query

    def text(self, name: str) -> str | None:
        """A parameter's value; an empty one counts as none."""
        return self._query.get(name) or None

    def several(self, name: str) -> list[str]:
        """All values of a parameter that may be repeated."""
        return list(self._query.getall(name, []))

    def integer(self, name: str, *, at_least: int = 0) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and int(text) >= at_least):
            raise ApiError(400, f"{name}: {text} is no number of {at_least} or more")
        return int(text)

    def flag(self, name: str) -> bool:
        text = self._query.get(name, "").lower()
        if text not in _YES | _NO:
            raise ApiError(400, f"{name}: {text} is neither true nor false")
        return text in _YES

    def instant(self, name: str) -> datetime | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            raise ApiError(400, f"{name}: {text} is no time") from None
        return instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
