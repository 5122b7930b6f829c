"""What the pass over a JSON text may skip: one scan for names and card numbers finds what two scans do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.redaction.samples import RULES, mask

from job_history.redaction import Redaction
from job_history.redaction.card_numbers import places_of_candidates
from job_history.redaction.skipping import Skipping

PIECES = ["password", "s4111", "4111", "4111 1111 1111 1111", "3782-822463-10005", "s", "x", "word4", " ", "-", "ß"]


def _skipping(*rules: dict[str, str]) -> Skipping:
    root = Redaction(RULES.validate_python([*rules]))._root
    return root.member("lines").element.member("input").skipping


@given(
    names=st.lists(st.sampled_from(["*password*", "*s4111*", "*d4*", "4111*", "-1", "x"]), min_size=1, max_size=3),
    texts=st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=4),
)
def test_one_scan_finds_the_names_and_the_card_numbers_of_two_scans(names: list[str], texts: list[str]) -> None:
    skipping = _skipping(*(mask(field=name) for name in names), mask(value="card_number"))
    members = ",".join(f'"{text}":"{text}"' for text in texts)
    text = f'{{{members},"filler":"{"-" * 100}"}}'.replace("{,", "{").encode()
    assert skipping.scan(text) == (skipping.names(text), [*places_of_candidates(text)])


def test_card_numbers_are_searched_only_if_a_rule_is_about_them() -> None:
    text = b'{"card":"4111 1111 1111 1111"}'
    assert _skipping(mask(field="x")).scan(text)[1] == []
    assert len(_skipping(mask(value="card_number")).scan(text)[1]) == 1
