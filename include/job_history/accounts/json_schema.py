"""`python -m job_history.accounts.json_schema`: the JSON Schema of the Variable, for editors and for the docs."""

from __future__ import annotations

import json
import sys
from typing import Any

from job_history.accounts.account import Account
from job_history.accounts.variable import ACCOUNTS_VARIABLE


def accounts_json_schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": ACCOUNTS_VARIABLE,
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/Account"},
        "$defs": {**(schema := Account.model_json_schema()).pop("$defs"), "Account": schema},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(accounts_json_schema(), indent=1) + "\n")
