"""Secrets are masked in the texts of other systems, before these become a part of our messages."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from urllib.parse import quote

MASK = "***"
# Replacing a shorter one would also replace words of the message, and so reveal the secret.
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
