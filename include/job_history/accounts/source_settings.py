"""The source settings of an account."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from job_history.model.settings_model import ConnectionId, SettingsModel


class SqlSourceSettings(SettingsModel):
    """The three relations `job_history_jobs`, `job_history_lines`, `job_history_admin_events` of a database."""

    type: Literal["sql"]
    conn_id: ConnectionId


class WorkatoSourceSettings(SettingsModel):
    """The platform's own API. Its lines have no input and output: the public API gives none."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-not-given": {
                "events.line_details": "its public API gives no input and output of steps, so lines are delivered "
                "without them."
            }
        }
    )

    type: Literal["workato"]
    conn_id: ConnectionId
    managed_user_id: str | None = Field(
        default=None,
        pattern=r"^([0-9]+|E[!-~]+)$",
        description="A customer of an embedded partner: its id, or E and its external id. Left out: the token's own "
        "workspace.",
    )
    longest_job_hours: int = Field(
        default=24,
        ge=1,
        le=24 * 31,
        description="How long a job takes at most, as a rule, waiting and pauses included. Longer ones are watched; "
        "docs/workato.md.",
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        description="How long the workspace keeps jobs. If set, an earlier window is refused as unrecoverable.",
    )
    activity_retention_days: int = Field(
        default=365,
        ge=1,
        description="How long it keeps its activity log, the source of admin events; an earlier window is refused.",
    )


SourceSettings = Annotated[SqlSourceSettings | WorkatoSourceSettings, Field(discriminator="type")]
