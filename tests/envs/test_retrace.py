"""Doing recorded actions again: the first difference is found, named and measured."""

from __future__ import annotations

import math
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from understudy.data.action import Action
from understudy.data.episode import End, Episode
from understudy.envs.retrace import Difference, Stage, retrace, retracing
from understudy.errors import EnvError


class Drift(gymnasium.Env):
    """Adds up what is done, from a start that the seed says; from step `late` on also `push`."""

    observation_space = Dict(place=Box(-100, 100, (2,)), clock=Box(0, 100, (), np.float64))
    action_space = Discrete(3, start=-1)

    def __init__(self, late=99, push=0.0, pay=0.0, start=0.0, over=6):
        self.late, self.push, self.pay, self.start, self.over = late, push, pay, start, over

    def _seen(self):
        return {"place": np.array([self.place, 0], np.float32), "clock": np.float64(self.t)}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.place = 0, float(self.np_random.normal()) + self.start
        return self._seen(), {}

    def step(self, action):
        self.t += 1
        self.place += float(action) + (self.push if self.t >= self.late else 0.0)
        reward = 1.0 + (self.pay if self.t >= self.late else 0.0)
        return self._seen(), reward, self.t == self.over, False, {}


def episode_of(steps: int = 6, end: End = End.TERMINATED) -> Episode:
    """What `Drift` did with 1, 0, 2, 1, 0, 2 from seed 3."""
    stage = Stage(Drift())
    choices = np.array([[t % 3] for t in range(1, steps + 1)], np.int64)
    action = Action(np.zeros((steps, 0), np.float32), choices)
    rows = [stage.reset(3), *(stage.step(action.at(t))[0] for t in range(steps))]
    return Episode(
        obs={name: np.stack([row[name] for row in rows]) for name in rows[0]},
        action=action,
        reward=np.ones(steps, np.float32),
        end=end,
        acted_by=np.zeros(steps, np.uint8),
        seed=3,
    )


def test_what_was_recorded_comes_back() -> None:
    found = retrace(Stage(Drift()), episode_of(), tolerance=0.0)
    assert found.first is None
    assert found.farthest == {"place": 0, "clock": 0, "reward": 0}
    assert (found.steps, found.return_) == (6, 6.0)


def test_the_first_step_that_differs_is_named_and_how_far_it_goes() -> None:
    found = retrace(Stage(Drift(late=3, push=0.5)), episode_of())
    assert found.first is not None
    assert (found.first.step, found.first.what) == (3, "place")
    assert found.first.by == pytest.approx(0.5, abs=1e-6)
    assert found.farthest["place"] == pytest.approx(2.0, abs=1e-6)  # pushed at steps 3, 4, 5, 6
    assert found.farthest["clock"] == 0


def test_a_difference_below_the_tolerance_is_none() -> None:
    small = Drift(late=3, push=1e-4)
    assert retrace(Stage(small), episode_of(), tolerance=1e-3).first is None
    assert retrace(Stage(small), episode_of(), tolerance=1e-6).first is not None


def test_a_reset_that_differs_is_step_0() -> None:
    found = retrace(Stage(Drift(start=1.0)), episode_of())
    assert found.first is not None
    assert (found.first.step, found.first.what) == (0, "place")
    assert found.first.by == pytest.approx(1.0, abs=1e-6)


def test_another_reward_is_a_difference() -> None:
    found = retrace(Stage(Drift(late=2, pay=0.25)), episode_of())
    assert found.first == Difference(2, "reward", 0.25)
    assert found.return_ == 7.25
    without = replace(episode_of(), reward=None)
    assert retrace(Stage(Drift(late=2, pay=0.25)), without).first is None


def test_rewards_are_compared_as_precisely_as_they_are_recorded() -> None:
    tenth = replace(episode_of(), reward=np.full(6, np.float32(1.1), np.float64))
    assert retrace(Stage(Drift(late=0, pay=0.1)), tenth, tolerance=0.0).first is None


@pytest.mark.parametrize(
    ("over", "steps", "end", "step"),
    [
        (4, 6, End.TERMINATED, 4),  # it ends early
        (9, 6, End.TERMINATED, 6),  # it goes on
        (6, 6, End.TRUNCATED, 6),  # the task is over where the recording was cut
        (9, 6, End.TRUNCATED, None),
        (9, 6, End.UNKNOWN, None),
        (6, 6, End.OPEN, None),
    ],
)
def test_an_end_at_another_step_is_a_difference(
    over: int, steps: int, end: End, step: int | None
) -> None:
    found = retrace(Stage(Drift(over=over)), episode_of(steps, end))
    assert (None if found.first is None else found.first.step) == step
    assert found.steps == min(over, steps)
    if found.first is not None:
        assert found.first.what == "end"
        assert math.isnan(found.first.by)


def test_a_last_observation_that_was_not_recorded_is_not_compared() -> None:
    episode = replace(episode_of(), final_obs_known=False)
    episode.obs["place"][-1] = episode.obs["place"][-2]
    assert retrace(Stage(Drift()), episode).first is None


def test_it_stops_after_the_reset_and_every_step_for_whoever_looks() -> None:
    assert sum(1 for _ in retracing(Stage(Drift()), episode_of())) == 7


def test_an_episode_without_a_seed_is_refused() -> None:
    with pytest.raises(EnvError, match="no seed to begin from"):
        retrace(Stage(Drift()), replace(episode_of(), seed=None))


def test_an_environment_that_fails_is_blamed_in_one_line() -> None:
    class Torn(Drift):
        def step(self, action):
            raise RuntimeError("out of\nbounds")

    with pytest.raises(EnvError, match="Torn, step 1, seed 3: RuntimeError: out of bounds"):
        retrace(Stage(Torn()), episode_of())
