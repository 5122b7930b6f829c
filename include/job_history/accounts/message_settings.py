"""The settings of destinations that take messages by HTTP: Splunk, Datadog, and any other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from job_history.accounts.destination_settings import DestinationSettings, HeaderText

Text = Annotated[str, Field(min_length=1, max_length=200), HeaderText]


class SplunkHecDestinationSettings(DestinationSettings):
    """An HTTP Event Collector of Splunk. What is left out here is decided by the token's own settings."""

    type: Literal["splunk_hec"]
    index: Text | None = Field(default=None, description="The index; the token must allow it.")
    source: Text | None = Field(default=None, description="The field source.")
    sourcetype: Text | None = Field(default=None, description="The field sourcetype.")
    host: Text | None = Field(default=None, description="The field host.")
    max_event_bytes: int = Field(
        default=10_000,
        ge=1_000,
        le=1_000_000,
        description="TRUNCATE of the sourcetype in props.conf: Splunk cuts a larger event. 10000 is its default.",
    )


class DatadogDestinationSettings(DestinationSettings):
    """The log intake of Datadog."""

    type: Literal["datadog"]
    source: Text = Field(default="job_history", description="ddsource: chooses the pipeline.")
    service: Text | None = Field(default=None, description="The reserved attribute service.")
    hostname: Text | None = Field(default=None, description="The reserved attribute hostname.")
    tags: dict[str, str] = Field(
        default_factory=dict,
        max_length=30,
        json_schema_extra={"propertyNames": {"pattern": r"^[^,:\s](?:[^,:]*[^,:\s])?$", "maxLength": 200}},
        description="ddtags, as key=value.",
    )

    @field_validator("tags")
    @classmethod
    def _tags_fit_into_one_text(cls, tags: dict[str, str]) -> dict[str, str]:
        for text in (*tags, *tags.values()):
            if not text or len(text) > 200 or "," in text or ":" in text or text != text.strip():
                raise ValueError("a key or value of tags has 1 to 200 characters, without , and : and outer spaces")
        return tags


class HttpDestinationSettings(DestinationSettings):
    """Any receiver of JSON by HTTP POST. Its host, credentials and headers are in the connection."""

    type: Literal["http"]
    path: str = Field(
        default="",
        pattern=r"^(?:[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,500})$",
        description="The path of the URL, after the connection's host.",
    )
    body: Literal["ndjson", "json"] = Field(
        default="ndjson", description="ndjson: many documents a request, one a line. json: one document a request."
    )
    compression: Literal["none", "gzip"] = Field(default="none", description="gzip: with Content-Encoding: gzip.")
    max_message_bytes: int = Field(
        default=1_000_000,
        ge=1_000,
        le=10_000_000,
        description="A larger document goes as several messages; also the size of a request.",
    )
