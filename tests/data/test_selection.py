"""Choosing episodes: by number, return, length, tag, success and end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_up import CHOICES, make_demos, make_episode
from understudy.data.catalog import catalog, numbers_of, success_of
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.formats.editing import delete
from understudy.data.formats.native import read_demos, write_demos
from understudy.data.selection import Selection, choose, numbers_in, selection_words
from understudy.errors import ConfigError, DemoError

RNG = np.random.default_rng(0)
EPISODES = [
    replace(make_episode(CHOICES, 4, RNG), tags=("good", "fast"), info={"success": True}),
    replace(make_episode(CHOICES, 8, RNG, reward=-1.0), end=End.TRUNCATED, tags=("good",)),
    replace(make_episode(CHOICES, 6, RNG, reward=0.5), end=End.OPEN, info={"is_success": 0.0}),
    make_episode(CHOICES, 2, RNG),
]
DEMOS = Demos(CHOICES, EPISODES)
"""Lengths 4, 8, 6, 2; returns 4, -8, 3, 2."""


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ({}, [0, 1, 2, 3]),
        ({"numbers": numbers_in("1,3")}, [1, 3]),
        ({"numbers": numbers_in("2, 0-1")}, [0, 1, 2]),
        ({"min_return": 3.0}, [0, 2]),
        ({"max_return": 2.0}, [1, 3]),
        ({"min_length": 4, "max_length": 6}, [0, 2]),
        ({"tags": ("good",)}, [0, 1]),
        ({"tags": ("good", "fast")}, [0]),
        ({"tags": ("good",), "without_tags": ("fast",)}, [1]),
        ({"without_tags": ("good", "fast")}, [2, 3]),
        ({"success": True}, [0]),
        ({"success": False}, [2]),
        ({"ends": ("truncated", "open")}, [1, 2]),
        ({"min_return": 3.0, "ends": ("terminated",)}, [0]),
        ({"numbers": numbers_in("3"), "min_length": 3}, []),
    ],
)
def test_all_that_is_asked_must_hold(asked: dict[str, Any], places: list[int]) -> None:
    assert Selection(**asked).places(catalog(DEMOS)).tolist() == places


def test_numbers_are_those_that_episodes_were_recorded_with(tmp_path: Path) -> None:
    write_demos(tmp_path / "a", DEMOS)
    delete(tmp_path / "a", [2])
    stored = read_demos(tmp_path / "a")
    assert numbers_of(stored) == [1, 3, 4]
    kept = choose(stored, Selection(numbers=numbers_in("3-4"), min_length=3))
    assert (numbers_of(kept), [len(e) for e in kept]) == ([3], [6])
    with pytest.raises(DemoError, match="no episode is called 2; they are 1 to 4"):
        choose(stored, Selection(numbers=numbers_in("2")))


def test_a_file_says_the_same_of_its_episodes_as_reading_them_does(tmp_path: Path) -> None:
    write_demos(tmp_path / "a", DEMOS)
    told = catalog(read_demos(tmp_path / "a"))
    read = catalog(DEMOS)
    assert told == [replace(entry, number=entry.number + 1) for entry in read]


def test_what_is_chosen_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    write_demos(tmp_path / "a", DEMOS)
    stored = read_demos(tmp_path / "a")
    kept = choose(stored, Selection(min_length=4))
    assert kept.lengths.tolist() == [4, 8, 6]
    assert kept.returns.tolist() == [4, -8, 3]
    assert not stored.episodes._kept  # type: ignore[attr-defined]
    assert [len(e) for e in kept.episodes[1:]] == [8, 6]
    with pytest.raises(IndexError):
        kept.episodes[3]


def test_choosing_everything_changes_nothing() -> None:
    assert choose(DEMOS, Selection()) is DEMOS
    assert choose(DEMOS, Selection(min_length=1)) is DEMOS


def test_choosing_nothing_says_what_was_asked() -> None:
    with pytest.raises(DemoError, match=r"none of the 4 episodes .*: min return 99.0, ends open"):
        choose(DEMOS, Selection(min_return=99.0, ends=("open",)))


def test_episodes_cannot_be_chosen_by_what_nobody_knows() -> None:
    with pytest.raises(DemoError, match="no rewards"):
        choose(make_demos(reward=None), Selection(min_return=0.0))
    with pytest.raises(DemoError, match="--add success"):
        choose(make_demos(), Selection(success=True))


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "5-3", "1,,2", "1.5", "9" * 30])
def test_numbers_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected numbers and ranges such as 3,5-9"):
        numbers_in(text)


def test_a_huge_range_is_refused_at_once() -> None:
    with pytest.raises(DemoError, match="no episode is called 999999999999999999"):
        choose(DEMOS, Selection(numbers=numbers_in("0-999999999999999999")))


def test_a_number_that_is_not_there_says_which_are() -> None:
    for demos, there in ((DEMOS, "they are 0 to 3"), (DEMOS.pick([0]), "there is only 0")):
        with pytest.raises(DemoError, match=f"no episode is called 7; {there}"):
            choose(demos, Selection(numbers=numbers_in("7")))


def test_bounds_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="no length is at least 9 and at most 3"):
        Selection(min_length=9, max_length=3)
    with pytest.raises(ConfigError, match="nan"):
        Selection(min_return=float("nan"))


def test_a_selection_is_said_in_few_words() -> None:
    asked = Selection(
        numbers=numbers_in("1,3-5"), success=True, tags=("good",), without_tags=("slow",)
    )
    assert selection_words(asked) == "numbers 1,3-5, tags good, without tags slow, success True"
    assert selection_words(Selection()) == "all of them"


@pytest.mark.parametrize(
    ("info", "tags", "success"),
    [
        ({}, (), None),
        ({"success": True}, (), True),
        ({"is_success": 1.0}, (), True),
        ({"success": 0}, (), False),
        ({"success": "yes"}, (), None),
        ({"success": 0.4}, (), None),
        ({"success": True}, ("failure",), False),
        ({}, ("success",), True),
        ({}, ("success", "failure"), False),
    ],
)
def test_success_is_what_a_person_said_else_what_the_environment_did(
    info: dict[str, Any], tags: tuple[str, ...], success: bool | None
) -> None:
    assert success_of(info, tags) is success
