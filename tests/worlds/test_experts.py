"""Every scripted expert does its task as well as it says."""

import numpy as np
import pytest

from understudy.envs.gym import GymEnv
from understudy.errors import EnvError
from understudy.worlds.experts import scripted


def returns(env_id, episodes, **kwargs):
    """The first episode of each of so many slots."""
    env = GymEnv(env_id, episodes, make_kwargs=kwargs)
    actor = scripted(env.env_id, env.behaviors["agent"])
    moment, state = env.reset(1)["agent"], actor.start(episodes)
    total, running = np.zeros(episodes), np.ones(episodes, bool)
    while running.any():
        action, state = actor.act(moment.obs, state, moment.fresh)
        moment = env.step({"agent": action})["agent"]
        total += moment.reward * running
        running &= ~moment.ended
    env.close()
    return total


@pytest.mark.parametrize(
    ("env_id", "kwargs", "episodes", "least"),
    [
        ("CartPole-v1", {}, 5, 500),
        ("LunarLander-v3", {"continuous": True}, 5, 255),
        ("LunarLanderContinuous-v3", {}, 3, 255),
        ("Pendulum-v1", {}, 20, -200),
        ("MountainCar-v0", {}, 20, -125),
        ("MountainCarContinuous-v0", {}, 5, 93),
        ("Acrobot-v1", {}, 40, -105),
    ],
)
def test_expert_is_as_good_as_it_says(env_id, kwargs, episodes, least):
    assert returns(env_id, episodes, **kwargs).mean() >= least


def test_discrete_lander_lands_mostly():
    # About one in twelve crashes, so the median is asked for.
    assert np.median(returns("LunarLander-v3", 10)) >= 240


def test_unknown_task_lists_the_known_ones():
    spec = GymEnv("FrozenLake-v1").behaviors["agent"]
    with pytest.raises(EnvError, match=r"FrozenLake-v1.*CartPole-v1.*LunarLander-v3"):
        scripted("FrozenLake-v1", spec)


def test_expert_refuses_what_it_was_not_written_for():
    spec = GymEnv("Pendulum-v1").behaviors["agent"]
    with pytest.raises(EnvError, match="4 numbers"):
        scripted("CartPole-v1", spec)


def test_module_before_the_id_does_not_matter():
    spec = GymEnv("CartPole-v1").behaviors["agent"]
    assert scripted("some.module:CartPole-v1", spec).start(3) == {}
