"""Sends with the vendor's SDK for Python: `sumo_logic_sdk.py URL`, documents as JSON lines on stdin, a batch at a
time.
"""

import json
import sys
from itertools import islice

from sumoappclient.sumoclient.outputhandlers import HTTPHandler

DOCUMENTS_A_BATCH = 250  # a megabyte of 4 kB documents, as the vendor advises

_, url = sys.argv
handler = HTTPHandler(
    {
        "SumoLogic": {"SUMO_ENDPOINT": url},
        "Collection": {
            "MAX_RETRY": 3,
            "BACKOFF_FACTOR": 1,
            "TIMEOUT": 60,
            "COMPRESSED": True,
            "MAX_PAYLOAD_BYTESIZE": 1_000_000,
            "ENVIRONMENT": "onprem",
        },
        "DeployMetaData": {"PACKAGENAME": "benchmark"},
        "Logging": {"ENABLE_CONSOLE_LOG": False, "ENABLE_LOGFILE": False},
    }
)
documents = (json.loads(line) for line in sys.stdin)
while batch := list(islice(documents, DOCUMENTS_A_BATCH)):
    if not handler.send(batch):
        sys.exit("the source did not accept a batch")
handler.close()
