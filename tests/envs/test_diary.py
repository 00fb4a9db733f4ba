from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from understudy.data.action import Action
from understudy.envs.actors import random_actor
from understudy.envs.diary import Diary
from understudy.envs.gym import GymEnv
from understudy.errors import EnvError

IDS = ["CartPole-v1", "Pendulum-v1", "LunarLander-v3", "MountainCar-v0"]


def lived(env: GymEnv, actor, steps: int) -> list[tuple]:
    seen = []
    for _ in range(steps):
        moment = env.moments["agent"]
        action, _ = actor.act(moment.obs, {}, moment.fresh)
        moment = env.step({"agent": action})["agent"]
        seen.append(
            tuple(
                x.copy()
                for x in (
                    *moment.obs.values(),
                    moment.reward,
                    moment.terminated,
                    moment.truncated,
                    moment.fresh,
                )
            )
        )
    return seen


def same(a: list[tuple], b: list[tuple]) -> bool:
    return all(
        np.array_equal(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)
    )


@pytest.mark.parametrize("steps", [0, 1, 37, 500])
@pytest.mark.parametrize("env_id", IDS)
def test_a_resumed_environment_goes_on_as_if_nothing_had_been(env_id, steps):
    env = GymEnv(env_id, 3)
    spec = env.behaviors["agent"]
    env.reset(5)
    lived(env, random_actor(spec, 1), steps)
    state, seeds = env.state_dict(), env.seeds("agent")
    expected = lived(env, random_actor(spec, 2), 300)
    other = GymEnv(env_id, 3)
    other.reset(99)
    other.load_state_dict(state)
    assert other.seeds("agent") == seeds
    assert same(lived(other, random_actor(spec, 2), 300), expected)


def test_a_resumed_environment_can_be_saved_again():
    env = GymEnv("CartPole-v1", 2)
    spec = env.behaviors["agent"]
    env.reset(0)
    lived(env, random_actor(spec, 1), 30)
    middle = GymEnv("CartPole-v1", 2)
    middle.load_state_dict(env.state_dict())
    lived(middle, random_actor(spec, 2), 5)
    last = GymEnv("CartPole-v1", 2)
    last.load_state_dict(middle.state_dict())
    assert same(lived(last, random_actor(spec, 3), 50), lived(middle, random_actor(spec, 3), 50))


class Drifting(gymnasium.Env):
    """What it sees is not determined by its seed."""

    observation_space = Box(0, np.inf, (1,))
    action_space = Discrete(2)
    born = 0.0

    def reset(self, *, seed=None, options=None):
        type(self).born += 1
        return np.array([self.born], np.float32), {}

    def step(self, action):
        return np.array([self.born], np.float32), 0.0, False, False, {}


def test_an_environment_with_a_will_of_its_own_is_named():
    env = GymEnv(Drifting())
    env.reset(0)
    state = env.state_dict()
    with pytest.raises(EnvError, match="not determined by its seed"):
        GymEnv(Drifting()).load_state_dict(state)


def test_a_diary_forgets_what_was_before_an_episode():
    diary = Diary(2)
    one = Action(np.zeros((2, 0)), np.array([[1], [2]]))
    two = Action(np.zeros((2, 0)), np.array([[3], [4]]))
    diary.note(one)
    diary.begin(1)
    diary.note(two)
    first, second = diary.of(0), diary.of(1)
    assert first is not None
    assert second is not None
    assert first.discrete.tolist() == [[1], [3]]
    assert second.discrete.tolist() == [[4]]
