"""The connection type `splunk_hec` as Airflow knows it: its form, its test, its hook."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.dags.test_sumo_logic_hook import FORM
from tests.support.receivers import TOKEN, Receivers, local_receivers

from simulators.processes import free_port


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with local_receivers() as running:
        yield running


@pytest.fixture
def tested(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[bool, str]]:
    def tested(**fields: Any) -> tuple[bool, str]:
        from airflow.sdk import BaseHook

        monkeypatch.setenv("AIRFLOW_CONN_ACME_SPLUNK", json.dumps({"conn_type": "splunk_hec", **fields}))
        result: tuple[bool, str] = BaseHook.get_connection("acme_splunk").get_hook().test_connection()
        assert TOKEN not in result[1]
        return result

    return tested


def test_the_form_names_url_and_token(airflow_home: Path) -> None:
    code = FORM.replace('"sumo_logic"', '"splunk_hec"')
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    name, hook, form = json.loads(done.stdout.splitlines()[-1])
    assert (name, hook.rpartition(".")[2]) == ("Splunk HTTP Event Collector", "SplunkHecHook")
    assert form["relabeling"] == {"password": "Token", "host": "URL of the collector"}


def test_connection_test_posts_one_event_that_is_marked_as_a_test(
    tested: Callable[..., tuple[bool, str]], receivers: Receivers
) -> None:
    assert tested(host=receivers.address, password=TOKEN)[0] is True
    (event,) = receivers.stored
    assert json.loads(event)["replication"].keys() == {"preflight"}


def test_the_port_may_be_in_its_own_field(tested: Callable[..., tuple[bool, str]], receivers: Receivers) -> None:
    host, _, port = receivers.address.rpartition(":")
    assert tested(host=host, port=int(port), password=TOKEN)[0] is True


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"password": "wrong-token"}, "RECEIVER_UNAUTHORIZED"),
        ({"host": f"http://127.0.0.1:{free_port()}", "password": TOKEN}, "RECEIVER_UNREACHABLE"),
        ({}, "password"),
        ({"password": f"{TOKEN} "}, ""),
        ({"host": "splunk .example.com", "password": TOKEN}, "host"),
        ({"host": "http://splunk.example.com", "password": TOKEN}, "https://"),
        ({"host": f"https://u:{TOKEN}@splunk.example.com", "password": TOKEN}, "host"),
        ({"password": TOKEN, "extra": {"verify": "/no/such.pem"}}, "/no/such.pem"),
    ],
    ids=lambda value: None if isinstance(value, str) else ",".join(value) or "nothing",
)
def test_connection_that_fails_gives_the_reason_and_no_secret(
    tested: Callable[..., tuple[bool, str]], receivers: Receivers, fields: dict[str, Any], reason: str
) -> None:
    accepted, message = tested(**{"host": receivers.address, **fields})
    assert accepted is (not reason)
    assert reason in message
