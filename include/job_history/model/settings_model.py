"""What all parts of an account's settings have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class SettingsModel(BaseModel):
    """Unknown keys and wrong types are errors; nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


ConnectionId = Annotated[str, Field(min_length=1, description="The id of an Airflow connection.")]
