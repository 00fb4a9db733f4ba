"""Weights that are averaged on the way."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.data.spec import ActionSpec
from understudy.nets.flat import Flat
from understudy.nets.model import NetConfig
from understudy.run import checkpoint
from understudy.run.average import Average
from understudy.run.loop import Progress
from understudy.run.on_policy import OnPolicyConfig, on_policy
from understudy.run.policy import Policy
from understudy.run.reinforcement import AVERAGE
from worlds import TinyEnv


def following(horizon=10):
    flat, progress = Flat(3), Progress(1000)
    return flat, progress, Average(flat, horizon)


def test_after_its_horizon_what_was_before_counts_for_a_part_in_e():
    flat, progress, average = following()
    flat.value[:] = 1
    progress.steps = 10
    average.see(progress, {})
    assert average.weights == pytest.approx(1 - np.exp(-1))


def test_many_short_turns_weigh_as_much_as_a_long_one():
    flat, progress, average = following()
    other = Average(flat, 10)
    flat.value[:] = 2
    for progress.steps in range(1, 21):
        average.see(progress, {})
    other.see(progress, {})
    assert average.weights == pytest.approx(other.weights, rel=1e-5)


def test_weights_that_stay_are_their_own_average():
    flat, progress, _ = following()
    flat.value[:] = 5
    average = Average(flat, 10)
    progress.steps = 7
    average.see(progress, {})
    assert (average.weights == 5).all()


def test_it_is_used_for_a_while_and_learning_goes_on_from_where_it_was():
    flat, progress, average = following()
    flat.value[:] = 1
    progress.steps = 5
    average.see(progress, {})
    with average.used():
        assert (flat.value == average.weights).all()
    assert (flat.value == 1).all()


def test_it_goes_on_where_it_was():
    flat, progress, average = following()
    flat.value[:] = [1, 2, 3]
    progress.steps = 4
    average.see(progress, {})
    other = Average(flat, 10)
    other.load_state_dict(average.state_dict())
    progress.steps = 9
    for one in (average, other):
        one.see(progress, {})
    assert (other.weights == average.weights).all()


class Stop:
    def __init__(self, step):
        self.step = step

    def see(self, progress, metrics):
        if progress.steps >= self.step:
            progress.stop = "enough for now"


def test_a_run_that_was_stopped_ends_with_the_same_average(tmp_path):
    config = OnPolicyConfig(steps=200, slots=2, rows=16, average=40, net=NetConfig(hidden=(6,)))

    def made():
        env = TinyEnv({"agent": [[3], [5]]}, {"agent": [1, 2]}, ActionSpec(branches=(3,)))
        return on_policy(env, config, lambda line: None)

    straight, first, second = made(), made(), made()
    straight.learn()
    first.learn(watchers=[Stop(100)])
    checkpoint.save(tmp_path, 1, first.state_dict())
    second.load_state_dict(checkpoint.load(tmp_path).state)
    second.learn()
    assert straight.average
    assert second.average
    assert (second.average.weights == straight.average.weights).all()
    assert (second.average.weights != second.model.flat.value).any()
    second.leave(tmp_path)
    assert (Policy.load(tmp_path / AVERAGE).model.flat.value == second.average.weights).all()
