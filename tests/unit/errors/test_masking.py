"""Secrets in texts of other systems, in the forms that these give them."""

import base64
import json
from urllib.parse import quote

import pytest

from job_history.errors.masking import mask_secrets, secret_masker

SECRET = 'p4ss/w+rd="é 1'


@pytest.mark.promise("masked-secrets")
@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(written: str) -> None:
    assert mask_secrets(f"no user has the password {written}, sorry", [SECRET]) == "no user has the password ***, sorry"


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert secret_masker("token", "token-of-acme")("token-of-acme and token") == "*** and ***"


def test_what_is_none_or_too_short_is_not_looked_for() -> None:
    assert secret_masker("", None, "1234")("1234 jobs") == "1234 jobs"
