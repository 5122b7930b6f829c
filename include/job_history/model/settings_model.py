"""What all parts of an account's settings have in common."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from job_history.errors.quoting import unsafe_character

# Airflow's own pattern and length (airflow.models.connection.sanitize_conn_id), for the whole text.
_CONNECTION_ID = re.compile(r"[\w#!()\-.:/\\]{1,250}")


class SettingsModel(BaseModel):
    """Unknown keys and wrong types are errors; texts have no control or format characters.

    Nothing changes after it is read.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _has_no_control_characters(cls, value: Any) -> Any:
        """Refuse characters that could forge log lines or headers or reorder text, without repeating them."""
        texts = [value] if isinstance(value, str) else [*value, *value.values()] if isinstance(value, dict) else []
        for text in texts:
            if isinstance(text, str) and (position := unsafe_character(text)) is not None:
                raise ValueError(f"character {position + 1} is a control or format character (such as a line end)")
        return value


def is_connection_id(text: str) -> bool:
    """Whether Airflow takes a text as the id of a connection."""
    return _CONNECTION_ID.fullmatch(text) is not None


def _connection_id(conn_id: str) -> str:
    """Refuse what cannot be a connection's id, without repeating it: a secret may have been pasted here."""
    if "://" in conn_id:
        raise ValueError("is a URL, not the id of an Airflow connection: put the URL into a connection")
    if not is_connection_id(conn_id):
        raise ValueError(
            "is not the id of an Airflow connection: 1 to 250 letters, digits and the characters _ # ! ( ) - . : / \\"
        )
    return conn_id


ConnectionId = Annotated[
    str,
    AfterValidator(_connection_id),
    Field(
        min_length=1,
        json_schema_extra={"pattern": f"^{_CONNECTION_ID.pattern}$", "not": {"pattern": "://"}},
        description="The id of an Airflow connection.",
    ),
]
