"""A policy for the tests, and JSON that hypothesis makes up."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from pydantic import TypeAdapter
from tests.unit.samples import line, record

from job_history.model.job import JobRecord
from job_history.redaction import Change, Redaction, RedactionRule

KEY = b"a key of thirty-two characters.."
RULES = TypeAdapter(list[RedactionRule])


def redaction(*rules: dict[str, Any], on_change: Callable[[Change], None] | None = None) -> Redaction:
    return Redaction(RULES.validate_python(list(rules)), key=KEY, on_change=on_change)


def hash_of(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def redacted_input(text: str, *rules: dict[str, Any], on_change: Callable[[Change], None] | None = None) -> Any:
    """What becomes of a line's input under these rules."""
    job = redacted(record(lines=[line(input=text, output="{}")]), *rules, on_change=on_change)
    assert job.lines is not None
    return job.lines[0].input


def redacted(job: JobRecord, *rules: dict[str, Any], on_change: Callable[[Change], None] | None = None) -> JobRecord:
    return redaction(*rules, on_change=on_change).job(job)


def mask(**rule: str) -> dict[str, str]:
    return {**rule, "action": "mask"}


def drop(**rule: str) -> dict[str, str]:
    return {**rule, "action": "drop"}


def hashed(**rule: str) -> dict[str, str]:
    return {**rule, "action": "hash"}


_numbers = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.sampled_from(["-0", "0.10", "1E+2", "1.0e-9", "12345678901234567890.123456789"]),
)


def _written(text: str, *, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only or any("\ud800" <= character <= "\udfff" for character in text))


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{name}:{value}" for name, value in members) + "}"


def json_texts(names: st.SearchStrategy[str], texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Compact JSON: numbers of any size, escapes, names that are there twice, and JSON inside its texts."""
    written = st.builds(lambda text, ascii_only: _written(text, ascii_only=ascii_only), texts, ascii_only=st.booleans())
    written_names = st.builds(
        lambda text, ascii_only: _written(text, ascii_only=ascii_only), names, ascii_only=st.booleans()
    )
    return st.recursive(
        st.one_of(st.sampled_from(["null", "true", "false"]), _numbers, written),
        lambda inner: st.one_of(
            st.lists(st.tuples(written_names, inner), max_size=4).map(_object),
            st.lists(inner, max_size=4).map(lambda elements: "[" + ",".join(elements) + "]"),
            inner.map(json.dumps),
        ),
        max_leaves=12,
    )
