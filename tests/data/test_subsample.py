"""Fewer steps, the same episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from understudy.data.demos import Demos, join
from understudy.data.episode import End, check_episode
from understudy.data.formats.door import load_demos
from understudy.data.formats.native import write_demos
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.data.subsample import Whole, subsample, wholes
from understudy.errors import DemoError
from worlds import episode_of, toy_demos

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(1,))}, action=ActionSpec(branches=(50,)))


def counting(steps, end=End.TERMINATED, start=0, **facts):
    """An episode that sees and does how many steps it has taken."""
    at = np.arange(start, start + steps + 1)
    return episode_of(SPEC, at, discrete=at[:-1], reward=at[:-1] * 1.0, end=end, **facts)


def rng():
    return np.random.default_rng(0)


def test_what_is_kept_is_seen_done_and_seen_next():
    demos = subsample(Demos(SPEC, [counting(23), counting(9, End.TRUNCATED)]), 5, rng())
    for part in demos:
        check_episode(part, SPEC)
        (t,) = part.action.discrete[:, 0]
        assert part.obs["obs"][:, 0].tolist() == [t, t + 1]
        assert part.reward is not None
        assert part.reward.tolist() == [t]
    kept = [int(part.action.discrete[0, 0]) for part in demos]
    first, second = (kept[: len(kept) - 2], kept[-2:])
    assert np.diff(first).tolist() == [5] * (len(first) - 1)
    assert first[0] < 5
    assert first[-1] >= 23 - 5
    assert np.diff(second).tolist() == [5]


def test_every_first_step_is_as_likely():
    firsts = [
        int(
            subsample(Demos(SPEC, [counting(40)]), 4, np.random.default_rng(s))
            .episodes[0]
            .action.discrete[0, 0]
        )
        for s in range(60)
    ]
    assert set(firsts) == {0, 1, 2, 3}


def test_the_length_and_end_of_the_whole_are_kept():
    whole = [counting(23), counting(9, End.TRUNCATED), counting(9, End.TERMINATED)]
    demos = subsample(Demos(SPEC, whole), 5, rng())
    found, which = wholes(demos)
    assert found == [Whole(23, End.TERMINATED), Whole(9, End.TRUNCATED), Whole(9, End.TERMINATED)]
    assert len(which) == len(demos)
    assert sorted(set(which.tolist())) == [0, 1, 2]


def test_only_a_last_step_ends():
    ends = set()
    for seed in range(20):
        for part in subsample(Demos(SPEC, [counting(7)]), 3, np.random.default_rng(seed)):
            last = part.action.discrete[0, 0] == 6
            assert part.end is (End.TERMINATED if last else End.OPEN)
            ends.add(part.end)
    assert ends == {End.TERMINATED, End.OPEN}


def test_an_unknown_last_observation_is_unknown_of_the_last_step_alone():
    demos = subsample(Demos(SPEC, [counting(4, final_obs_known=False)]), 2, rng())
    known = {int(part.action.discrete[0, 0]): part.final_obs_known for part in demos}
    assert all(ok == (t != 3) for t, ok in known.items())


def test_a_short_episode_keeps_a_step():
    demos = subsample(Demos(SPEC, [counting(2)]), 20, rng())
    assert len(demos) == 1


def test_whole_episodes_are_their_own():
    demos = Demos(SPEC, [counting(3), counting(5, End.OPEN)])
    assert subsample(demos, 1, rng()) is demos
    found, which = wholes(demos)
    assert found == [Whole(3, End.TERMINATED), Whole(5, End.OPEN)]
    assert which.tolist() == [0, 1]


def test_parts_of_different_recordings_are_not_mixed_up():
    one, other = (Demos(SPEC, [counting(10, start=s)]) for s in (0, 20))
    both = join([subsample(one, 3, rng()), subsample(other, 3, rng())])
    assert len(wholes(both)[0]) == 2


def test_it_survives_the_disk(tmp_path):
    demos = subsample(toy_demos("vector", "hybrid", 3, 12, rng()), 4, rng())
    write_demos(tmp_path / "parts", demos)
    again = load_demos(tmp_path / "parts")
    assert wholes(again)[0] == wholes(demos)[0]
    assert wholes(again)[1].tolist() == wholes(demos)[1].tolist()


def test_sub_sampling_twice_is_refused_and_so_is_none():
    demos = subsample(Demos(SPEC, [counting(10)]), 3, rng())
    with pytest.raises(DemoError, match="already"):
        subsample(demos, 2, rng())
    with pytest.raises(DemoError, match="every=0"):
        subsample(demos, 0, rng())


def test_a_false_note_about_the_whole_is_refused():
    odd = replace(counting(1), info={"part_of": {"id": "x", "steps": 3}}, label="odd")
    with pytest.raises(DemoError, match="odd: info"):
        wholes(Demos(SPEC, [odd]))
