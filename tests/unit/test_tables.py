from __future__ import annotations

from job_history.tables import text_table


def test_numbers_are_aligned_right_with_separators_and_text_left() -> None:
    assert text_table(["account", "delivered", "state"], [["5234 Acme", 1234, "complete"], ["77 X", 5, "failed"]]) == (
        "account    delivered  state\n5234 Acme      1,234  complete\n77 X               5  failed"
    )


def test_a_column_that_mixes_text_and_numbers_is_text() -> None:
    assert text_table(["counted"], [[3], ["unknown"]]) == "counted\n3\nunknown"


def test_a_table_without_rows_is_its_heading() -> None:
    assert text_table(["account", "state"], []) == "account  state"
