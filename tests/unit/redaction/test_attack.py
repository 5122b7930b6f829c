"""Random documents: nothing planted is left, and skipping what cannot be touched changes nothing."""

from __future__ import annotations

import json
import os

import pytest
from tests.unit.redaction.attack import MARK, Attack, secret_in

DOCUMENTS = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 150


@pytest.mark.promise("redaction-is-complete")
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", range(3))
def test_random_documents_keep_no_secret_whether_or_not_what_is_untouched_is_skipped(seed: int) -> None:
    attack = Attack(seed)
    assert [wrong for _ in range(DOCUMENTS) if (wrong := attack.wrong())] == []


def test_a_planted_secret_is_found_at_every_level_of_escapes() -> None:
    text = f"{MARK} x"
    for _ in range(4):
        text = "".join(f"\\u{ord(character):04x}" if character in MARK else character for character in text)
        assert secret_in(text)
        text = json.dumps(text)
        assert secret_in(text)
    assert not secret_in("S 3C")
