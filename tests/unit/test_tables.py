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


def test_columns_line_up_after_wide_letters_and_accents() -> None:
    table = text_table(["account", "state"], [["5 株式会社", "failed"], ["77 Ame\u0301lie", "failed"]])
    assert table == "account     state\n5 株式会社  failed\n77 Ame\u0301lie   failed"
