"""How good an actor is where it acts."""

import numpy as np
import pytest

from understudy.envs.actors import random_actor
from understudy.errors import EnvError
from understudy.run.evaluate import Evaluation, play
from worlds import CountingActor, TinyEnv


def played(env, episodes):
    (spec,) = env.behaviors.values()
    return play(env, random_actor(spec), episodes, 0)


def test_returns_and_lengths_are_those_of_the_episodes_by_slot():
    found = played(TinyEnv({"agent": [[3, 4], [5]]}), 4)
    assert found.returns.tolist() == [3, 4, 5, 5]
    assert found.lengths.tolist() == [3, 4, 5, 5]


def test_short_episodes_are_not_favored():
    # Until the long one ends the short slot lives 50 times; counted as they come, the mean of
    # 20 episodes would be 1. Every slot lives ten times: (1 + 99) / 2.
    found = played(TinyEnv({"agent": [[1], [99]]}), 20)
    assert np.sort(found.returns).tolist() == [1] * 10 + [99] * 10
    assert found.returns.mean() == 50


def test_quotas_may_be_unequal():
    found = played(TinyEnv({"agent": [[2], [3], [4]]}), 5)
    assert found.returns.tolist() == [2, 2, 3, 3, 4]
    assert played(TinyEnv({"agent": [[2], [3], [4]]}), 2).returns.tolist() == [2, 3]


def test_slots_that_do_not_always_speak_are_counted_by_what_they_did():
    env = TinyEnv({"agent": [[4], [3, 1]]}, {"agent": [2, 5]})
    found = played(env, 4)
    assert found.returns.tolist() == [4, 4, 3, 1]
    assert found.lengths.tolist() == [4, 4, 3, 1]


def test_memory_is_carried_while_playing():
    env = TinyEnv({"agent": [[3], [2]]})
    play(env, CountingActor(env.behaviors["agent"]), 6, 0)
    assert all(action.discrete[0] == step for _, _, step, action in env.received["agent"])


def test_nothing_to_play_and_several_behaviors_are_refused():
    with pytest.raises(ValueError, match="episodes=0: expected at least 1"):
        played(TinyEnv(), 0)
    two = TinyEnv({"a": [[1]], "b": [[1]]})
    with pytest.raises(EnvError, match="expected one behavior, found a, b"):
        play(two, CountingActor(two.behaviors["a"]), 1, 0)


def test_a_summary_says_mean_middle_half_and_interval():
    found = Evaluation(np.array([0.0, 10, 20, 100]), np.array([1, 2, 3, 4]))
    summary = found.summary()
    assert summary["episodes"] == len(found) == 4
    assert summary["return"]["mean"] == 32.5
    assert summary["return"]["iqm"] == found.iqm == 15, "the middle half of four is two of them"
    assert (summary["return"]["min"], summary["return"]["max"]) == (0, 100)
    low, high = summary["return"]["ci95"]
    assert 0 <= low <= 15 <= high <= 100
    assert summary["length"] == {"mean": 2.5, "max": 4}
    assert found.summary() == summary, "the bootstrap is the same every time"
