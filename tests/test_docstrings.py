"""How the documentation reads docstrings: as their authors write them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

READER = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "markdown_docstrings.py"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("One of our `Env`s.", r"One of our ``Env``\ s."),
        ("`a` and ``b`` and :class:`C`", "``a`` and ``b`` and :class:`C`"),
        ("the return_ of |x|", r"the return\_ of \|x\|"),
        ("`return_` and `|x|`", "``return_`` and ``|x|``"),
        ("snake_case stays", "snake_case stays"),
    ],
)
def test_a_line_is_read_as_it_is_meant(written, read):
    assert READER["as_restructured_text"](written) == read


def test_a_table_is_shown_as_it_stands():
    lines = ["Before.", "", "| a | b |", "|---|---|", "", "After."]
    block = ["    | a | b |", "    |---|---|"]
    assert [line for line in READER["convert"](lines) if line] == [
        "Before.",
        "::",
        *block,
        "After.",
    ]


def test_indented_code_becomes_a_block_and_arguments_do_not():
    lines = ["Do:", "", "    f(`x`)", "", "    g()", "End.", "", "Args:", "    x: it_", "", "    y"]
    read = READER["convert"](lines)
    assert [line for line in read if line] == [
        "Do:",
        *(["::", "        f(`x`)", "        g()", "End."]),
        *(["Args:", r"    x: it\_", "    y"]),
    ]
