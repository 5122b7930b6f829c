"""The connection type `sumo_logic` as Airflow knows it: its form, its test, its hook."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.sumo_logic import LocalSource, local_source

FORM = """
import json
from airflow.providers_manager import ProvidersManager
[form] = [
    form for form in ProvidersManager().iter_connection_type_hook_ui_metadata() if form.connection_type == "sumo_logic"
]
print(json.dumps([form.hook_name, form.hook_class_name, form.field_behaviour]))
"""

TOKEN = "ZaVnC4dhaV1CANARY_token-0123456789=="


@pytest.fixture
def source() -> Iterator[LocalSource]:
    with local_source(token=TOKEN) as running:
        yield running


@pytest.fixture
def connect(airflow_home: Path, monkeypatch: pytest.MonkeyPatch):  # noqa: ANN201
    def connect(**fields: str) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_ACME_SUMO", json.dumps({"conn_type": "sumo_logic", **fields}))

    return connect


def test_the_form(airflow_home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FORM], check=True, capture_output=True, text=True)

    assert json.loads(done.stdout.splitlines()[-1]) == [
        "Sumo Logic",
        "job_history_airflow.hooks.sumo_logic.SumoLogicHook",
        {
            "hidden_fields": ["schema", "port", "login"],
            "relabeling": {"password": "URL of the HTTP source", "host": "URL without token"},
            "placeholders": {
                "password": "https://endpoint.collection.sumologic.com/receiver/v1/http/... (a secret, whole)",
                "host": "leave empty; or https://.../receiver/v1/http, and the token alone above",
                "extra": '{"verify": "/etc/ssl/private-ca.pem"}',
            },
        },
    ]


def test_the_provider_info_is_what_airflow_asks_for() -> None:
    import importlib.resources

    import jsonschema

    from job_history_airflow.provider_info import get_provider_info

    schema = json.loads((importlib.resources.files("airflow") / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_connection_test_posts_one_message_that_is_marked_as_a_test(connect, source: LocalSource) -> None:  # noqa: ANN001
    from airflow.sdk import BaseHook

    from job_history.preflight.sumo_logic import NOTE

    connect(password=source.url)
    hook = BaseHook.get_connection("acme_sumo").get_hook()

    assert hook.test_connection() == (
        True,
        f"The Sumo Logic source {source.receiver_url}/*** accepted a message that is marked as a test.",
    )
    (message,) = source.messages()
    sent = json.loads(message.text)
    assert sent == {"timestamp": sent["timestamp"], "replication": {"preflight": NOTE}}


def test_the_newer_form_with_the_token_beside_the_url(connect, source: LocalSource) -> None:  # noqa: ANN001
    from job_history_airflow.hooks.sumo_logic import SumoLogicHook

    connect(host=source.receiver_url, password=source.token)

    assert SumoLogicHook("acme_sumo").test_connection()[0] is True
    assert [request.token_from for request in source.requests()] == ["header"]


def test_connection_that_fails_gives_the_reason_and_no_secret(connect, source: LocalSource) -> None:  # noqa: ANN001
    from job_history_airflow.hooks.sumo_logic import SumoLogicHook

    source.change(token="another")
    connect(password=f"{source.receiver_url}/{TOKEN}")
    unknown = SumoLogicHook("acme_sumo").test_connection()
    connect(password=TOKEN)
    no_url = SumoLogicHook("acme_sumo").test_connection()

    assert [unknown[0], no_url[0]] == [False, False]
    assert unknown[1].startswith(
        f"SUMO_LOGIC_UNAUTHORIZED: The Sumo Logic source {source.receiver_url}/***: it does not know the token "
        "(answered 401 "
    )
    assert "Compare the connection's URL with the source's own" in unknown[1]
    assert no_url[1].startswith("The connection's password holds no URL of an HTTP source. Copy it again")
    assert TOKEN.rstrip("=") not in unknown[1] + no_url[1]


def test_airflow_masks_url_and_token_wherever_a_task_writes_them(connect, source: LocalSource) -> None:  # noqa: ANN001
    from airflow.sdk.log import redact

    from job_history_airflow.hooks.sumo_logic import SumoLogicHook

    connect(password=source.url)
    SumoLogicHook("acme_sumo").get_conn()

    stem = TOKEN.rstrip("=")
    reported = redact(f"{source.url} {TOKEN} {stem}%3D%3D")
    assert stem not in str(reported)
