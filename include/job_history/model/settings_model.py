"""The base of all parts of an account's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class SettingsModel(BaseModel):
    """Unknown keys and wrong types are errors; they do not change once they are read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


ConnectionId = Annotated[str, Field(min_length=1, description="The id of an Airflow connection.")]
