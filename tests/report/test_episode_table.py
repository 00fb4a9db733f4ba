"""The table of episodes."""

from __future__ import annotations

from understudy.data.catalog import Entry
from understudy.data.episode import End
from understudy.report.episode_table import MOST_LETTERS, episode_lines

NAN = float("nan")


def entry(number: int, **said: object) -> Entry:
    facts = {"length": 1500, "return_": NAN, "end": End.OPEN, "success": None, "tags": ()}
    return Entry(**{**facts, "number": number, "label": "", "seed": None, **said})  # type: ignore[arg-type]


def test_columns_of_which_nothing_is_known_are_left_out() -> None:
    assert episode_lines([entry(3)]) == ["episode  steps  ended", "      3  1,500  open"]


def test_what_one_episode_says_makes_a_column_for_all() -> None:
    lines = episode_lines(
        [
            entry(1, return_=-2.5, success=False, tags=("a", "b"), seed=7, deleted=True),
            entry(12, label="the best"),
        ]
    )
    assert lines == [
        "episode  steps  return  ended  success  seed  tags  label",
        "      1  1,500   −2.50  open   no          7  a b             deleted",
        "     12  1,500          open                        the best",
    ]


def test_what_a_file_says_cannot_steer_the_terminal() -> None:
    (_, line) = episode_lines([entry(1, label="\x1b[31m" + "x" * 99)])
    assert "\x1b" not in line
    assert line.endswith("x...")
    assert len(line.split("  ")[-1].strip()) == MOST_LETTERS
