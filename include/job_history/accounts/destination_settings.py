"""The destination settings of an account."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import ConfigDict, Field, field_validator, model_validator

from job_history.accounts.setting_errors import BUCKET_PATTERN, HEADER_PATTERN, PREFIX_PATTERN
from job_history.errors.quoting import quoted
from job_history.model.settings_model import ConnectionId, SettingsModel
from job_history.storage.s3.access import Transport, WriteOptions

_TAG = re.compile(r"[A-Za-z0-9 +\-=._:/@]*")
MAX_TAGS = 10
MAX_PREFIX = 400
"""The longest key below it has 590 characters, and a key at most 1,024 bytes."""
_HEADER_TEXT = re.compile(HEADER_PATTERN)
# Limits of Sumo Logic's page "Fields": of one request, and in characters.
MAX_FIELDS = 30
MAX_FIELD_KEY = 255
MAX_FIELD_VALUE = 200


Acl = Literal[
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
]


class DestinationSettings(SettingsModel):
    """What the settings of every kind of destination have: a subclass narrows `type` to the kind's name."""

    type: str
    conn_id: ConnectionId

    @property
    def key_prefix(self) -> str:
        """The prefix of every document's key: empty if there is no bucket to share."""
        return ""


def kind_name(settings: type[DestinationSettings]) -> str:
    """Return the one `type` that settings have. Raises TypeError if they have not one."""
    annotation = settings.model_fields["type"].annotation
    names = get_args(annotation)
    if get_origin(annotation) is not Literal or len(names) != 1:
        raise TypeError(f"`type` of {settings.__name__} is no Literal of one name")
    return str(names[0])


Prefix = Annotated[str, Field(max_length=MAX_PREFIX, pattern=PREFIX_PATTERN)]
BucketName = Annotated[str, Field(min_length=3, max_length=63, pattern=BUCKET_PATTERN)]
WriteMode = Literal["create_only", "overwrite", "check_then_put"]
_WRITE_MODES = (
    "Only for stores without conditional PUT: check_then_put looks for the object before it writes, which two runs at "
    "once may pass; overwrite replaces what is there."
)


def _is(default: object) -> Callable[[object], bool]:
    return lambda value: value == default


_KMS_KEY_GOES_WITH_KMS: dict[str, Any] = {
    "if": {"properties": {"kms_key_id": {"type": "string"}}, "required": ["kms_key_id"]},
    "then": {
        "properties": {"server_side_encryption": {"const": "aws:kms"}},
        "required": ["server_side_encryption"],
    },
}
_UNREADABLE_CLASSES = ["GLACIER", "DEEP_ARCHIVE"]


class S3DestinationSettings(DestinationSettings):
    """A bucket of Amazon S3, or of a store that speaks its protocol."""

    model_config = ConfigDict(json_schema_extra=_KMS_KEY_GOES_WITH_KMS)

    type: Literal["s3"]
    bucket: BucketName | None = Field(
        default=None, description="May be left out if the connection names it (service_config.s3.bucket_name)."
    )
    prefix: Prefix = Field(default="", description="The prefix of every key; without a slash at either end.")
    server_side_encryption: Literal["AES256", "aws:kms"] | None = Field(
        default=None, description="Left out: the bucket's default encryption."
    )
    kms_key_id: str | None = Field(
        default=None, pattern=r"^[!-~]{1,2048}$", description="The key of server_side_encryption aws:kms."
    )
    write_mode: WriteMode = Field(default="create_only", description=_WRITE_MODES)
    # Left out of the settings' hash if they are not set: an account of an earlier release keeps its hash.
    checksum: Literal["sha256", "none"] = Field(
        default="sha256",
        exclude_if=_is("sha256"),
        description="none: only for stores that refuse x-amz-checksum-sha256.",
    )
    acl: Acl | None = Field(
        default=None, exclude_if=_is(None), description="The canned ACL of each object. Left out: none is sent."
    )
    storage_class: str | None = Field(
        default=None,
        exclude_if=_is(None),
        pattern=r"^[A-Z][A-Z0-9_-]{0,59}$",
        json_schema_extra={"not": {"enum": [*_UNREADABLE_CLASSES]}},
        description="The storage class of each object. Left out: the bucket's default.",
    )
    tags: dict[str, str] = Field(
        default_factory=dict,
        exclude_if=_is({}),
        max_length=MAX_TAGS,
        json_schema_extra={"propertyNames": {"pattern": f"^{_TAG.pattern}$", "minLength": 1, "maxLength": 128}},
        description="The tags of each object.",
    )
    requester_pays: bool = Field(
        default=False,
        exclude_if=_is(False),
        description="true: agree to pay for the requests, as such a bucket demands.",
    )
    transport: Transport = Field(
        default="auto",
        exclude_if=_is("auto"),
        description="boto3: the connection's own client. auto: a faster one if it supports the connection's settings.",
    )

    @property
    def key_prefix(self) -> str:
        """The prefix of every document's key."""
        return self.prefix

    @property
    def write_options(self) -> WriteOptions:
        """What each PUT carries besides the document."""
        return WriteOptions(
            server_side_encryption=self.server_side_encryption,
            kms_key_id=self.kms_key_id,
            acl=self.acl,
            storage_class=self.storage_class,
            tags=self.tags,
            requester_pays=self.requester_pays,
            checksum=self.checksum,
        )

    @field_validator("storage_class")
    @classmethod
    def _storage_class_can_be_read(cls, storage_class: str | None) -> str | None:
        if storage_class in _UNREADABLE_CLASSES:
            raise ValueError(
                "objects of this class cannot be read back; move them there by a lifecycle rule of the bucket"
            )
        return storage_class

    @field_validator("tags")
    @classmethod
    def _tags_are_as_s3_takes_them(cls, tags: dict[str, str]) -> dict[str, str]:
        for key, value in tags.items():
            if not (_TAG.fullmatch(key) and 0 < len(key) <= 128 and _TAG.fullmatch(value) and len(value) <= 256):
                raise ValueError(
                    f"the tag {key[:60]!r} cannot be sent: a key has 1 to 128 characters, a value at most 256, all of "
                    "letters, digits, spaces and + - = . _ : / @"
                )
        return tags

    @model_validator(mode="after")
    def _kms_key_goes_with_kms(self) -> S3DestinationSettings:
        if self.kms_key_id is not None and self.server_side_encryption != "aws:kms":
            raise ValueError('kms_key_id needs "server_side_encryption": "aws:kms"')
        return self


class ContainerSettings(DestinationSettings):
    """What an Azure container and a Google bucket have in common."""

    prefix: Prefix = Field(default="", description="The prefix of every key; without a slash at either end.")
    write_mode: WriteMode = Field(default="create_only", description=_WRITE_MODES)

    @property
    def key_prefix(self) -> str:
        return self.prefix


class AzureBlobDestinationSettings(ContainerSettings):
    """A container of Azure Blob Storage."""

    type: Literal["azure_blob"]
    container: str = Field(
        min_length=3,
        max_length=63,
        pattern=r"^[a-z0-9](?:-?[a-z0-9])*$",
        description="The container: 3 to 63 lower-case letters, digits and single hyphens.",
    )


_GOOGLE_PART = "[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"


class GoogleStorageDestinationSettings(ContainerSettings):
    """A bucket of Google Cloud Storage."""

    type: Literal["google_storage"]
    bucket: str = Field(
        min_length=3,
        max_length=222,
        pattern=rf"^{_GOOGLE_PART}(?:\.{_GOOGLE_PART})*$",
        description="The bucket: 3 to 63 lower-case letters, digits, hyphens and underscores; or several such parts, "
        "joined by dots.",
    )


HeaderText = Field(pattern=HEADER_PATTERN)
SourceName = Annotated[str, Field(max_length=128), HeaderText]
SourceCategory = Annotated[str, Field(max_length=1024), HeaderText]


class SumoLogicDestinationSettings(DestinationSettings):
    """An HTTP Logs source of Sumo Logic. Its URL is a secret, and is in the connection.

    What is left out here keeps the source's own setting. Limits: Sumo Logic's pages "Metadata Naming Conventions" and
    "Fields".
    """

    type: Literal["sumo_logic"]
    source_category: SourceCategory | None = Field(default=None, description="_sourceCategory.")
    source_name: SourceName | None = Field(default=None, description="_sourceName.")
    source_host: SourceName | None = Field(default=None, description="_sourceHost.")
    fields: dict[str, str] = Field(
        default_factory=dict,
        max_length=MAX_FIELDS,
        json_schema_extra={"propertyNames": {"pattern": "^[^,=]*$", "allOf": [{"pattern": HEADER_PATTERN}]}},
        description="Fields of every message. One that the account's Fields schema lacks is dropped in silence.",
    )

    @field_validator("fields")
    @classmethod
    def _fields_fit_into_their_header(cls, fields: dict[str, str]) -> dict[str, str]:
        for key, value in fields.items():
            for text, longest in ((key, MAX_FIELD_KEY), (value, MAX_FIELD_VALUE)):
                if not _HEADER_TEXT.fullmatch(text) or "," in text or "=" in text or len(text) > longest:
                    raise ValueError(
                        f"the field {quoted(key)} cannot be sent: a key has 1 to {MAX_FIELD_KEY} characters, a value "
                        f"1 to {MAX_FIELD_VALUE}, all of printable ASCII without , and = and without spaces at the ends"
                    )
        return fields
