"""What vector environments do wrong, and what they cannot do, is said."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from strange import Count, Rich, SmallPool, small_pool
from understudy.data.action import Action
from understudy.envs.envpool import EnvPoolVector, is_env_pool
from understudy.envs.vector import VectorGym
from understudy.errors import EnvError


def sync(mode: Any = AutoresetMode.NEXT_STEP, make: Any = Count) -> Any:
    return SyncVectorEnv([make] * 2, autoreset_mode=mode)


def go(env, steps, choice=1):
    moment = env.reset(0)["agent"]
    for _ in range(steps):
        count = len(moment.slots)
        action = Action(np.zeros((count, 0), np.float32), np.full((count, 1), choice))
        moment = env.step({"agent": action})["agent"]
    return moment


def test_a_mode_that_is_not_said_is_refused():
    vec = sync()
    vec.metadata = {}
    with pytest.raises(EnvError, match=r"'autoreset_mode'\] is None, expected one of .*SAME_STEP"):
        VectorGym(vec)


class Wrapped(gymnasium.vector.VectorWrapper):
    """Changes what a step says."""

    def __init__(self, env: Any, change: Any):
        super().__init__(env)
        self.change = change

    def step(self, actions: Any) -> Any:
        return self.change(*self.env.step(actions))


def without_last(obs, reward, terminated, truncated, info):
    return obs, reward, terminated, truncated, {}


def test_a_last_observation_that_is_lost_is_an_error():
    with pytest.raises(EnvError, match=r"without info\['final_obs'\]"):
        go(VectorGym(Wrapped(sync(AutoresetMode.SAME_STEP), without_last)), 12)


def batched_last(obs, reward, terminated, truncated, info):
    if "final_obs" in info:
        found = [np.zeros(3) if x is None else x for x in info["final_obs"]]
        info = {**info, "final_obs": np.array(found, np.float32)}
    return obs, reward, terminated, truncated, info


def test_last_observations_may_come_as_one_array():
    plain = VectorGym(sync(AutoresetMode.SAME_STEP))
    batched = VectorGym(Wrapped(sync(AutoresetMode.SAME_STEP), batched_last))
    for steps in range(3, 12):
        a, b = go(plain, steps), go(batched, steps)
        assert a.slots.tolist() == b.slots.tolist()
        assert (a.obs["obs"] == b.obs["obs"]).all()


def always_rewarded(obs, reward, terminated, truncated, info):
    return obs, np.ones(2), terminated, truncated, info


def test_a_mode_that_is_not_kept_is_found_out():
    with pytest.raises(EnvError, match="autoreset mode really NEXT_STEP"):
        go(VectorGym(Wrapped(sync(), always_rewarded)), 12)


def test_episodes_have_no_seeds_of_their_own():
    env = VectorGym(sync())
    env.reset(0)
    assert env.seeds("agent") == [None, None]


def test_nested_actions_reach_every_environment():
    env = VectorGym(sync(make=Rich))
    env.reset(0)
    before = env.moments["agent"].obs["body"].copy()
    numbers = np.array([[0.25, 0.5], [-0.5, 0.125]], np.float32)
    action = Action(numbers, np.array([[2, 1, 0], [1, 0, 1]]))
    moment = env.step({"agent": action})["agent"]
    # The first row of the body moves by the numbers, the second by the switches.
    moved = moment.obs["body"] - before
    assert np.allclose(moved[:, 0], numbers)
    assert np.allclose(moved[:, 1], [[1, 0], [0, 1]])
    assert moment.reward.tolist() == [2, 1]


def test_a_picture_is_of_the_first_slot():
    vec = SyncVectorEnv([lambda: Count(render_mode="rgb_array")] * 2)
    env = VectorGym(vec)
    assert env.render_fps == 20
    go(env, 2)
    picture = env.render()
    assert picture is not None
    assert picture.shape == (4, 6, 3)
    assert VectorGym(sync()).render() is None


def test_names_are_those_of_the_environment():
    assert VectorGym(sync()).env_id == "Count"
    assert VectorGym(gymnasium.make_vec("Pendulum-v1", 2)).env_id == "Pendulum-v1"
    lander = gymnasium.make_vec("LunarLander-v3", 2, vectorization_mode="sync")
    assert set(VectorGym(lander).versions) == {"gymnasium", "Box2D"}


# EnvPool.


def test_an_env_pool_is_known_by_what_it_has():
    assert is_env_pool(small_pool(2))
    assert not is_env_pool(sync())
    assert not is_env_pool("CartPole-v1")


def test_a_reset_with_a_seed_makes_an_env_pool_anew():
    env, other = VectorGym(EnvPoolVector(small_pool(2))), small_pool(2, seed=9)
    go(env, 5)
    first = env.reset(9)["agent"].obs["obs"]
    assert (first == other.reset()[0]).all()
    assert (first == env.reset(9)["agent"].obs["obs"]).all()
    assert (first != env.reset()["agent"].obs["obs"]).any()


class Unmakeable(SmallPool):
    def __init__(self) -> None:
        super().__init__(SmallPool.Spec({"num_envs": 2, "seed": 0}))


def test_an_env_pool_that_cannot_be_made_anew_is_refused_a_seed():
    with pytest.raises(EnvError, match="Unmakeable: cannot be made anew with seed 3"):
        VectorGym(EnvPoolVector(Unmakeable())).reset(3)


def test_env_pools_of_another_kind_are_refused():
    with pytest.raises(EnvError, match="2 of its 4 environments at a time"):
        EnvPoolVector(small_pool(4, batch_size=2))
    spaceless = small_pool(2)
    del spaceless.observation_space
    with pytest.raises(EnvError, match="env_type='gymnasium'"):
        EnvPoolVector(spaceless)
