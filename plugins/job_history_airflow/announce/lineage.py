"""OpenLineage facets of a load: from which relation or API to which bucket or target, with rows and bytes.

Airflow's OpenLineage provider asks an operator for them, if it is installed. They hold no secret: of a connection, only
its host and database.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from job_history.accounts.account import Account
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.pipeline.results import SliceOutcome

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

_NAMESPACES = {"postgres": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
_RELATIONS = {EventKind.JOBS: "job_history_jobs", EventKind.ADMIN_EVENTS: "job_history_admin_events"}


def lineage_of_slices(
    delivered: Iterable[tuple[Account, Slice, SliceOutcome]],
) -> OperatorLineage[Any, Any] | None:
    """Return the lineage of a load of several slices; None if none was delivered."""
    each = [lineage_of(account, slice_.kind, outcome) for account, slice_, outcome in delivered]
    if not each:
        return None
    each[0].inputs, each[0].outputs = (
        [dataset for one in each for dataset in one.inputs],
        [dataset for one in each for dataset in one.outputs],
    )
    return each[0]


def lineage_of(account: Account, kind: EventKind, outcome: SliceOutcome) -> OperatorLineage[Any, Any]:
    """Return the lineage of one slice's load."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset, output_statistics_output_dataset

    listed = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=outcome.extracted.listed)
    delivered = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=outcome.delivered, size=outcome.delivered_bytes
    )
    source, target = _source(account, kind), _target(account, kind, outcome.destination)
    return OperatorLineage(
        inputs=[InputDataset(*source, inputFacets={"inputStatistics": listed})],
        outputs=[OutputDataset(*target, outputFacets={"outputStatistics": delivered})],
    )


def _source(account: Account, kind: EventKind) -> tuple[str, str]:
    """Return namespace and name of what the slice was read from, as OpenLineage names databases."""
    from airflow.sdk import BaseHook

    source = account.source
    connection = BaseHook.get_connection(source.conn_id)
    if source.type == "workato":
        return (connection.host or "https://www.workato.com").rstrip("/"), f"workspaces/{account.user_id}/{kind}"
    conn_type = connection.conn_type or "sql"
    if conn_type == "sqlite":
        return "file", f"{connection.host}/{_RELATIONS[kind]}"
    port = f":{connection.port}" if connection.port else ""
    namespace = f"{_NAMESPACES.get(conn_type, conn_type)}://{connection.host}{port}"
    return namespace, f"{connection.schema}.{_RELATIONS[kind]}"


def _target(account: Account, kind: EventKind, destination: dict[str, Any]) -> tuple[str, str]:
    kind_name, bucket, host = destination.get("type"), destination.get("bucket"), destination.get("host")
    if bucket is None:
        return str(kind_name), str(destination.get("X-Sumo-Category") or account.user_id)
    namespaces = {"s3": f"s3://{bucket}", "google_storage": f"gs://{bucket}", "azure_blob": f"wasbs://{bucket}@{host}"}
    prefix, folder = account.destination.key_prefix, f"{account.user_id}/{kind}"
    return namespaces.get(str(kind_name), f"{kind_name}://{host}/{bucket}"), f"{prefix}/{folder}" if prefix else folder
