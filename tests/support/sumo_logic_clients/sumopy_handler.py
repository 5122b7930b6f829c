"""Sends with sumopy's logging handler: `sumopy_handler.py URL plain|compressed`, documents as a JSON list on stdin."""

import json
import logging
import sys
from urllib.parse import urlsplit

import sumopy

url, mode = sys.argv[1:]
parts = urlsplit(url)
handler = sumopy.Handler(
    parts.path, parts.netloc, compressed=mode == "compressed", source_name="sumopy", scheme=parts.scheme
)
logger = logging.getLogger("contract-test")
logger.addHandler(handler)
for document in json.load(sys.stdin):
    logger.error(json.dumps(document, ensure_ascii=False))
print(json.dumps({"accepted": None}))  # the handler does not look at the answer
