"""Sends with the vendor's SDK for Python: `appclient.py URL MAX_PAYLOAD_BYTES`, documents as a JSON list on stdin."""

import json
import sys

from sumoappclient.sumoclient.outputhandlers import HTTPHandler

url, max_payload_bytes = sys.argv[1:]
handler = HTTPHandler(
    {
        "SumoLogic": {"SUMO_ENDPOINT": url},
        "Collection": {
            "MAX_RETRY": 3,
            "BACKOFF_FACTOR": 0.01,
            "TIMEOUT": 5,
            "COMPRESSED": True,
            "MAX_PAYLOAD_BYTESIZE": int(max_payload_bytes),
            "ENVIRONMENT": "onprem",
        },
        "DeployMetaData": {"PACKAGENAME": "contract-test"},
        "Logging": {"ENABLE_CONSOLE_LOG": False, "ENABLE_LOGFILE": False},
    }
)
accepted = handler.send(json.load(sys.stdin))
handler.close()
print(json.dumps({"accepted": accepted}))
