"""Sends with Datadog's own client: `datadog_client.py HOST:PORT API_KEY`, entries as a JSON list on stdin."""

import json
import sys

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException
from datadog_api_client.v2.api.logs_api import LogsApi
from datadog_api_client.v2.model.content_encoding import ContentEncoding
from datadog_api_client.v2.model.http_log import HTTPLog
from datadog_api_client.v2.model.http_log_item import HTTPLogItem

name, api_key = sys.argv[1:]
configuration = Configuration(
    api_key={"apiKeyAuth": api_key},
    server_operation_index={"submit_log": 1},
    server_operation_variables={"submit_log": {"protocol": "http", "name": name}},
)
entries = HTTPLog([HTTPLogItem(**entry) for entry in json.load(sys.stdin)])
with ApiClient(configuration) as client:
    try:
        answer = LogsApi(client).submit_log(entries, content_encoding=ContentEncoding.GZIP, ddtags="env:test")
        print(json.dumps({"status": 202, "answer": answer}))
    except ApiException as error:
        print(json.dumps({"status": error.status, "answer": error.body}))
