"""Secrets are taken out of what somebody else said, before it becomes a message of ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from urllib.parse import quote

MASK = "***"
# Replacing a shorter one would take words of the message out, and tell by that what it is.
SHORTEST = 5

Masker = Callable[[str], str]
"""Takes secrets out of a text."""


def mask_secrets(text: str, secrets: Iterable[str | None]) -> str:
    """Replace secrets in a text, also where it has them as in a URL, in JSON or in Base64.

    What is empty, or shorter than five characters, is no secret that could be found.
    """
    forms = {form for secret in secrets if secret and len(secret) >= SHORTEST for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def secret_masker(*secrets: str | None) -> Masker:
    return lambda text: mask_secrets(text, secrets)


def _forms(secret: str) -> tuple[str, ...]:
    in_base64 = base64.b64encode(secret.encode()).decode().rstrip("=")
    return secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], in_base64
