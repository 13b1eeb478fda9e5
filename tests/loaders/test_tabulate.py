"""Tables say the same in words, Markdown and data."""

import json

import pytest
from facevox.loaders.tabulate import Table, shown

TABLE = Table("Title", ("name", "count", "share"), (("a|b", 12345, 0.5), ("longer", None, 12.34)), ("A note.",))


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (None, "-"),
        (0, "0"),
        (1234567, "1,234,567"),
        (0.0, "0"),
        (22.8, "22.8"),
        (16.0, "16.0"),
        (12345.67, "12,345.7"),
        (-0.99966, "-1.00"),
        (99.96, "100.0"),
        (0.0000543, "0.0000543"),
        ("words", "words"),
    ],
)
def test_cells_are_shown_with_three_digits_that_count(cell, words):
    assert shown(cell) == words


def test_text_is_aligned_with_numbers_to_the_right():
    lines = TABLE.text().splitlines()
    assert lines == [
        "Title",
        "name     count  share",
        "------  ------  -----",
        "a|b     12,345  0.500",
        "longer       -   12.3",
        "A note.",
    ]


def test_long_cells_become_paragraphs_of_bounded_width():
    said = "a statement that is much too long for a column " * 4
    lines = Table("T", ("no.", "statement", "so"), ((1, said, said), (12, "short", "brief"))).text().splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[1].startswith("  1 a statement") and lines[2].startswith("    ")
    assert lines[-2:] == [" 12 short", "    so: brief"]


def test_markdown_escapes_and_keeps_one_row_a_line():
    lines = TABLE.markdown(3).splitlines()
    assert lines[0] == "### Title"
    assert lines[4] == "| a\\|b | 12,345 | 0.500 |"
    assert lines[-1] == "A note."


def test_data_keeps_types():
    assert json.loads(json.dumps(TABLE.plain()))["rows"] == [["a|b", 12345, 0.5], ["longer", None, 12.34]]


def test_uneven_rows_are_refused():
    with pytest.raises(ValueError, match="expected 2 cells, found 1"):
        Table("T", ("a", "b"), (("one",),))
