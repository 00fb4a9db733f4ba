"""Demonstrations made from others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_up import HYBRID, make_demos, make_episode
from mutants import content
from understudy.data.catalog import numbers_of
from understudy.data.demos import Demos
from understudy.data.derived import CUT_FROM, chosen, cut, labeled, part_of, shares
from understudy.data.episode import End
from understudy.data.formats.native import read_demos, write_demos
from understudy.data.subsample import subsample
from understudy.errors import DemoError

RNG = np.random.default_rng(0)


def test_a_part_in_the_middle_keeps_what_was_seen_after_it() -> None:
    whole = replace(make_episode(HYBRID, 10, RNG), seed=7, final_obs_known=False)
    part = part_of(whole, 3, 6)
    assert len(part) == 3
    for name, x in whole.obs.items():
        assert np.array_equal(part.obs[name], x[3:7])
    assert np.array_equal(part.action.continuous, whole.action.continuous[3:6])
    assert np.array_equal(part.action.discrete, whole.action.discrete[3:6])
    assert (part.end, part.final_obs_known, part.seed) == (End.TRUNCATED, True, None)
    assert part.info[CUT_FROM] == {"start": 3, "steps": 10}


def test_a_part_at_an_edge_keeps_what_belongs_to_the_edge() -> None:
    whole = replace(make_episode(HYBRID, 10, RNG), seed=7, final_obs_known=False)
    head, tail = part_of(whole, 0, 4), part_of(whole, 4, 10)
    assert (head.seed, head.end, head.final_obs_known) == (7, End.TRUNCATED, True)
    assert (tail.seed, tail.end, tail.final_obs_known) == (None, End.TERMINATED, False)
    assert part_of(whole, 0, 10) is whole


def test_parts_of_parts_say_what_they_are_of_the_whole() -> None:
    whole = make_episode(HYBRID, 10, RNG)
    assert part_of(part_of(whole, 2, 9), 3, 5).info[CUT_FROM] == {"start": 5, "steps": 10}


@pytest.mark.parametrize(
    ("start", "stop", "lengths"),
    [
        (None, 5, [5, 3, 5]),
        (5, None, [4, 2]),
        (-4, None, [4, 3, 4]),
        (None, -5, [4, 2]),
        (4, 6, [2, 2]),
        (8, 100, [1]),
    ],
)
def test_steps_are_counted_as_slices_are(
    start: int | None, stop: int | None, lengths: list[int]
) -> None:
    demos = make_demos(lengths=(9, 3, 7))
    found = cut(demos, start, stop)
    assert found.lengths.tolist() == lengths
    assert [len(e) for e in found] == lengths
    assert found.returns.tolist() == lengths
    with pytest.raises(DemoError, match=r"rows 9:: no episode has such a step; the longest has 9"):
        cut(demos, 9, None)


def test_sub_sampled_steps_are_not_cut() -> None:
    parts = subsample(make_demos(lengths=(9,)), 3, np.random.default_rng(0))
    assert [len(e) for e in cut(parts, None, 1)] == [1] * len(parts)
    parts_of_two = Demos(
        parts.spec, [replace(make_episode(parts.spec, 2, RNG), info=parts.episodes[0].info)]
    )
    with pytest.raises(DemoError, match="it has been sub-sampled"):
        list(cut(parts_of_two, None, 1))


def test_episodes_without_a_label_are_called_by_where_they_came_from(tmp_path: Path) -> None:
    demos = make_demos(lengths=(3, 4, 5))
    named = replace(demos.episodes[1], label="the best")
    episodes = [demos.episodes[0], named, demos.episodes[2]]
    write_demos(tmp_path / "a", Demos(demos.spec, episodes))
    stored = read_demos(tmp_path / "a")
    assert [e.label for e in labeled(stored)] == ["a#1", "the best", "a#3"]
    assert [e.label for e in labeled(chosen(stored, np.array([2])))] == ["a#3"]
    assert content(labeled(stored)) == content(stored)
    assert labeled(demos) is demos


def test_what_is_chosen_of_what_was_chosen_keeps_its_number(tmp_path: Path) -> None:
    demos = make_demos(lengths=(3, 4, 5, 6))
    twice = chosen(chosen(demos, np.array([1, 2, 3])), np.array([0, 2]))
    assert numbers_of(twice) == [1, 3]
    assert twice.lengths.tolist() == [4, 6]


@pytest.mark.parametrize(("count", "test", "held"), [(10, 0.2, 2), (2, 0.01, 1), (3, 0.99, 2)])
def test_shares_divide_all_and_leave_neither_empty(count: int, test: float, held: int) -> None:
    train, other = shares(count, test, np.random.default_rng(0))
    assert len(other) == held
    assert sorted([*train.tolist(), *other.tolist()]) == list(range(count))
    assert np.array_equal(train, np.sort(train))


def test_a_single_episode_is_not_divided() -> None:
    with pytest.raises(DemoError, match="1 episode cannot be divided"):
        shares(1, 0.5, np.random.default_rng(0))
