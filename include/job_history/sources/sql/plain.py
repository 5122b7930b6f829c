"""Any other database with a DbApiHook: plain SQL at its own default isolation. No test holds it to anything."""

from __future__ import annotations

from typing import Any

from job_history.model.window import Window
from job_history.sources.sql.dialect import BaseDialect, ColumnTypes, Condition, Relation


class PlainDialect(BaseDialect):
    """Times are as the driver gives them; the driver may hold a whole result in memory."""

    def __init__(self, placeholder: str = "%s") -> None:
        self._placeholder = placeholder

    def open_snapshot(self, connection: Any) -> None:
        """Leave it at the database's own default isolation."""

    def quoted(self, name: str) -> str:
        quoted = super().quoted(name)
        return quoted.replace("%", "%%") if self._placeholder == "%s" else quoted

    def of_account(self, relation: Relation, user_id: int, types: ColumnTypes) -> Condition:  # noqa: ARG002 - not known
        return Condition(f"{relation.alias}.user_id = {self._placeholder}", (user_id,))

    def within(self, relation: Relation, window: Window) -> Condition:
        mark, moment = self._placeholder, relation.moment
        return Condition(f"{moment} >= {mark} AND {moment} < {mark}", (window.start, window.end))
