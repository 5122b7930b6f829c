"""obstore reads the environment for each setting that it is not given: so it is given each."""

import re
import subprocess
import sys
from pathlib import Path

import boto3
import obstore
import pytest
from tests.support.deliveries import settings

from job_history.storage.s3.access import S3Access, S3Connection
from job_history.storage.s3.obstore_bucket import client_options, store_config
from job_history.storage.s3.resolve import _OF_OBSTORE, resolve

# How credentials are found: never asked for, because the store has a credential provider.
OF_CREDENTIALS = {
    "access_key_id",
    "secret_access_key",
    "session_token",
    "container_credentials_relative_uri",
    "container_credentials_full_uri",
    "container_authorization_token_file",
    "imdsv1_fallback",
    "metadata_endpoint",
    "role_arn",
    "role_session_name",
    "sts_endpoint",
    "web_identity_token_file",
}
# The region of a store that is given none.
OF_NO_EFFECT = {"default_region"}
# What has obstore's default if it is left out: options are not read from the environment once there are any.
DEFAULT_OPTIONS = {
    "default_content_type",
    "http1_only",
    "http2_keep_alive_interval",
    "http2_keep_alive_timeout",
    "http2_keep_alive_while_idle",
    "http2_only",
    "pool_idle_timeout",
    "pool_max_idle_per_host",
    "proxy_ca_certificate",
    "randomize_addresses",
    "read_timeout",
    "root_certificate",
}


def keys_of(stub: str, name: str) -> set[str]:
    """The keys of a typed dictionary in obstore's own stubs."""
    text = (Path(obstore.__file__).parent / "_store" / stub).read_text()
    body = text[text.index(f"class {name}(TypedDict") :].split("\nclass ")[0]
    return set(re.findall(r"^    ([a-z][a-z0-9_]*): ", body, re.MULTILINE))


def resolved_access() -> S3Access:
    connection = S3Connection(boto3.Session("AK", "SK", region_name="us-east-1"), "http://127.0.0.1:9")
    return resolve(connection, "acme-audit", settings().write_options, environment={})


@pytest.mark.parametrize(
    ("endpoint", "token", "through_boto3"),
    [
        (None, "TOKEN", False),
        ("https://s3.dualstack.eu-west-1.amazonaws.com", "TOKEN", False),
        ("https://s3.cn-north-1.amazonaws.com.cn", "TOKEN", False),
        ("https://bucket.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com", "TOKEN", False),
        ("http://s3.eu-west-1.amazonaws.com", "TOKEN", True),
        ("https://ec2-1-2-3-4.compute.amazonaws.com", "TOKEN", True),
        ("https://s3.eu-west-1.amazonaws.com.example.com", "TOKEN", True),
        ("https://s3.example.com", "TOKEN", True),
        ("https://s3.example.com", None, False),
    ],
)
def test_obstore_gets_a_session_token_only_for_amazon_s3(
    endpoint: str | None, token: str | None, through_boto3: bool
) -> None:
    connection = S3Connection(boto3.Session("AK", "SK", token, region_name="us-east-1"), endpoint)
    access = resolve(connection, "acme-audit", settings().write_options, environment={})

    assert ("session token" in (access.boto3_because or "")) is through_boto3


def test_each_setting_of_the_store_is_given_or_accounted_for() -> None:
    given = set(store_config(resolved_access()))
    without_none = {name.removeprefix("aws_") for name in _OF_OBSTORE}

    assert keys_of("_aws.pyi", "S3Config") == given | without_none | OF_CREDENTIALS | OF_NO_EFFECT


def test_each_option_of_the_client_is_given_or_accounted_for() -> None:
    given = set(client_options(resolved_access(), {}))

    assert keys_of("_client.pyi", "ClientConfig") == given | DEFAULT_OPTIONS


# Any setting as it might be found in a worker's environment, and what a request comes to.
_PROGRAM = """
import http.server, json, os, threading
seen = []
class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        self.rfile.read(int(self.headers["content-length"]))
        ours = {"authorization", "x-amz-date", "host"}
        seen.append([self.path, {k.lower(): v for k, v in self.headers.items() if k.lower() not in ours}])
        self.send_response(200); self.send_header("ETag", "x"); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
import boto3
from job_history.storage.s3.access import S3Connection
from job_history.storage.s3.open_bucket import open_bucket
from job_history.storage.s3.resolve import resolve
session = boto3.Session("AK", "SK", region_name="us-east-1")
connection = S3Connection(session, f"http://127.0.0.1:{server.server_port}")
def once():
    bucket = open_bucket(resolve(connection, "acme-audit", environment={}))
    bucket.write("a", b"1")
    return seen.pop()
plain = once()
assert "x-amz-checksum-sha256" in plain[1]
for name in json.loads(os.environ["NAMES"]):
    for value in ("true", "false", "http://127.0.0.1:1", "1"):
        os.environ[name] = value
        assert once() == plain, (name, value)
        del os.environ[name]
"""  # noqa: E501


@pytest.mark.promise("s3-connection")
def test_no_setting_in_the_environment_changes_a_request() -> None:
    """With the settings that go through boto3 left out; each under every name that obstore gives it."""
    without_none = {name.removeprefix("aws_") for name in _OF_OBSTORE} - {"checksum_algorithm"}
    keys = keys_of("_aws.pyi", "S3Config") - without_none | keys_of("_client.pyi", "ClientConfig")
    names = [f"AWS_{key.removeprefix('aws_').upper()}" for key in sorted(keys)] + ["ALL_PROXY", "AWS_ENDPOINT_URL"]
    environment = {
        "NAMES": str(names).replace("'", '"'),
        "PATH": "/usr/bin",
        "PYTHONPATH": str(Path("include").resolve()),
    }

    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
