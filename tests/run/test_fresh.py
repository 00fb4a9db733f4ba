"""On-policy rollouts: handed over once, and resumed where they were."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.envs.env import one
from understudy.envs.gym import GymEnv
from understudy.learners.ppo import PPO, PPOConfig
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.rewards.extrinsic import Extrinsic, ExtrinsicConfig
from understudy.run import state as states
from understudy.run.fresh import Fresh
from worlds import TinyEnv


def made(env_id: str, memory: int, seed: int = 0) -> tuple[PPO, Fresh]:
    env = GymEnv(env_id, 3)
    spec = one(env.behaviors)
    net = NetConfig(hidden=(16,), activation="tanh", memory=memory)
    weights, order, acts = (np.random.default_rng((seed, k)) for k in range(3))
    model = make_model(spec, Product(spec.action), net, weights, 1)
    config = PPOConfig(epochs=2, minibatch=32, length=8, learning_rate=1e-2)
    ppo = PPO(model, {"extrinsic": Extrinsic(ExtrinsicConfig())}, {}, config, order)
    return ppo, Fresh(env, model, 16, acts, seed)


def go_on(ppo: PPO, fresh: Fresh, rollouts: int) -> list[float]:
    returns: list[float] = []
    for _ in range(rollouts):
        fresh.collect()
        for batch in fresh.batches():
            ppo.update(batch, 0.0)
        returns += fresh.returns
    return returns


@pytest.mark.parametrize("memory", [0, 8], ids=["no memory", "memory"])
@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_stopping_in_the_middle_changes_nothing(env_id, memory, tmp_path):
    ppo, fresh = made(env_id, memory)
    go_on(ppo, fresh, 5)
    saved = states.pack({"ppo": ppo.state_dict(), "fresh": fresh.state_dict()}, 5, ())
    expected = go_on(ppo, fresh, 7)

    resumed_ppo, resumed = made(env_id, memory, seed=9)
    _, state = states.unpack(saved, tmp_path)
    resumed_ppo.load_state_dict(state["ppo"])
    resumed.load_state_dict(state["fresh"])
    assert go_on(resumed_ppo, resumed, 7) == expected
    assert (resumed_ppo.model.flat.value == ppo.model.flat.value).all()


def test_looking_at_the_state_changes_nothing():
    ppo, fresh = made("CartPole-v1", 0)
    other_ppo, other = made("CartPole-v1", 0)
    for _ in range(4):
        go_on(ppo, fresh, 1)
        go_on(other_ppo, other, 1)
        other.state_dict()
    assert (ppo.model.flat.value == other_ppo.model.flat.value).all()


def test_every_rollout_goes_on_where_the_last_one_stopped():
    ppo, fresh = made("CartPole-v1", 0)
    go_on(ppo, fresh, 1)
    newest = {name: x[fresh.store.at, np.arange(3)] for name, x in fresh.store.obs.items()}
    fresh.collect()
    for name, x in fresh.store.obs.items():
        assert (x[0] == newest[name]).all()


def test_memory_goes_on_from_the_newest_row_of_slots_of_any_pace():
    # Slot 1 has just spoken when slot 0 fills the store at moment 24, and has not acted on it.
    env = TinyEnv({"agent": [[40], [5]]}, {"agent": [1, 3]})
    spec = one(env.behaviors)
    net = NetConfig(hidden=(8,), memory=4)
    model = make_model(spec, Product(spec.action), net, np.random.default_rng(0), 1)
    signals = {"extrinsic": Extrinsic(ExtrinsicConfig())}
    config = PPOConfig(epochs=1, length=8)
    ppo = PPO(model, signals, {}, config, np.random.default_rng(1))
    fresh = Fresh(env, model, 24, np.random.default_rng(2), 0)
    fresh.collect()
    assert fresh.store.at[0] > fresh.store.at[1]
    for batch in fresh.batches():
        ppo.update(batch, 0.0)
    lived = fresh.cast.state_dict()["agent"]
    fresh.state_dict()  # turns the page
    for name in ("policy.h", "policy.c"):
        np.testing.assert_allclose(fresh.state[name], lived[name], atol=1e-5)


def test_every_action_is_counted_once_for_slots_of_any_pace():
    env = TinyEnv({"agent": [[40], [5]]}, {"agent": [1, 3]})
    model = make_model(
        one(env.behaviors),
        Product(one(env.behaviors).action),
        NetConfig(hidden=(8,)),
        np.random.default_rng(0),
        1,
    )
    fresh = Fresh(env, model, 24, np.random.default_rng(2), 0)
    counted = learned = 0
    for _ in range(4):
        counted += fresh.collect()
        for batch in fresh.batches():
            learned += int(batch.acted.sum())
    lived = len(env.received["agent"])
    # Of the last rollout's last actions nothing is known yet.
    assert counted == learned
    assert 0 <= lived - counted <= 2


def test_it_says_what_finished_episodes_brought():
    ppo, fresh = made("CartPole-v1", 0)
    returns = go_on(ppo, fresh, 20)
    assert len(returns) > 10
    # CartPole pays 1 a step, and a new policy falls within a hundred.
    assert all(x == int(x) and 5 < x < 500 for x in returns)
