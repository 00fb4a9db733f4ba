"""A mask that is told in `info` is seen, and chance keeps to it."""

import gymnasium
import numpy as np
import pytest

from understudy.envs.actors import random_actor
from understudy.envs.check import check_env
from understudy.envs.gym import GymEnv
from understudy.envs.gym_mask import see_action_mask
from understudy.errors import EnvError


def taxi():
    return see_action_mask(gymnasium.make("Taxi-v4"))


def test_the_contract_holds_with_a_mask():
    assert check_env(GymEnv(taxi, 2)) == []


def test_the_mask_is_seen_and_kept_to():
    env = GymEnv(taxi, 3)
    spec = env.behaviors["agent"]
    assert spec.masks == ("action_mask",)
    assert env.env_id == "Taxi-v4"
    moment, actor = env.reset(0)["agent"], random_actor(spec)
    assert not moment.obs["action_mask"].all()
    for _ in range(50):
        action, _ = actor.act(moment.obs, {}, moment.fresh)
        allowed = np.take_along_axis(moment.obs["action_mask"], action.discrete, 1)
        assert (allowed[:, 0] | moment.ended).all()
        moment = env.step({"agent": action})["agent"]


def test_nothing_to_mask_is_refused():
    with pytest.raises(EnvError, match="no choices"):
        see_action_mask(gymnasium.make("Pendulum-v1"))


def test_missing_mask_is_said():
    env = GymEnv(lambda: see_action_mask(gymnasium.make("CartPole-v1")))
    with pytest.raises(EnvError, match="info has no 'action_mask'"):
        env.reset(0)
