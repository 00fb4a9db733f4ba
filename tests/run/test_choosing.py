"""Which way to learn is proposed for what was shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.subsample import subsample
from understudy.presets import record
from understudy.run.choosing import ASKED, choose
from understudy.run.methods import METHODS
from worlds import toy_demos

TASKS = {
    "plenty of episodes": ("CartPole-v1", 10, "bc"),
    "a few episodes with choices": ("CartPole-v1", 9, "gail"),
    "a few episodes with numbers": ("Pendulum-v1", 4, "dac"),
    "steps that cost the same until the goal": ("MountainCar-v0", 12, "guided"),
    "a reward at the very end": ("understudy.worlds.tasks:Grid-v0", 12, "guided"),
}


@pytest.mark.parametrize("case", TASKS)
def test_what_was_shown_says_how_to_learn(case):
    env, episodes, method = TASKS[case]
    demos = record(env, episodes=episodes)
    choice = choose(demos, demos.spec)
    assert choice.method == method
    assert choice.method in METHODS
    assert f"{episodes} episodes" in choice.why


def test_it_says_why_in_two_sentences():
    shown = [record(env, episodes=1) for env in ("CartPole-v1", "MountainCar-v0")]
    for choice in (ASKED, *(choose(demos, demos.spec) for demos in shown)):
        assert choice.why.count(". ") == 1
        assert choice.why.endswith(".")


def test_some_steps_of_many_episodes_are_few():
    demos = subsample(record("CartPole-v1", episodes=30), 20, np.random.default_rng(0))
    choice = choose(demos, demos.spec)
    assert choice.method == "gail"
    assert "30 episodes" in choice.why


def test_without_rewards_none_is_rare():
    demos = toy_demos("vector", "discrete", 3, 5, np.random.default_rng(0))
    bare = [replace(e, reward=None, end=End.TERMINATED) for e in demos]
    assert choose(Demos(demos.spec, bare), demos.spec).method == "gail"


def test_a_large_set_is_not_read_whole_to_choose(monkeypatch):
    demos = record("CartPole-v1", episodes=12)
    read = []

    class Watched:
        lengths, returns = demos.lengths, demos.returns

        def __len__(self):
            return len(demos)

        def __getitem__(self, index):
            read.append(index)
            return demos.episodes[index]

    monkeypatch.setattr("understudy.run.choosing.LOOKED_AT", 3)
    choice = choose(Demos(demos.spec, Watched()), demos.spec)  # type: ignore[arg-type]
    assert choice.method == "bc"
    assert "12 episodes" in choice.why
    assert set(read) == {0, 5, 11}
