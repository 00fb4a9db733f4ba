"""Rewards that were recovered: kept, found again, and sought by somebody else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from batches import in_order
from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import CheckpointError, ConfigError
from understudy.nets.discriminator import DiscriminatorConfig, Sees
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct
from understudy.rewards.airl import AIRL, AIRLConfig
from understudy.rewards.recovered import Recovered, RecoveredConfig
from understudy.run.methods import make_run
from understudy.run.off_policy import OffPolicyConfig
from understudy.run.on_policy import OnPolicyConfig
from understudy.run.practice import PracticeConfig
from understudy.run.recovered import leave_rewards, load_reward, save_reward
from understudy.run.sought import SignalConfig
from worlds import TinyEnv, episode_of

SEEN = {"obs": Obs(kind="vector", shape=(3,))}
SPEC = Spec(obs=SEEN, action=ActionSpec(branches=(3,)))


def model_of(spec, dist=Product):
    net = NetConfig(hidden=(4,), normalize=False)
    return make_model(spec, dist(spec.action), net, np.random.default_rng(0))


def demos_of(spec):
    places = np.random.default_rng(0).normal(size=(4, 6, 3))
    action = Action.zeros(spec.action, 5)
    return Demos(
        spec,
        [
            episode_of(
                spec,
                seen,
                continuous=action.continuous,
                discrete=action.discrete,
                end=End.TERMINATED,
            )
            for seen in places
        ],
    )


def recovered(spec=SPEC, sees: Sees = "states"):
    config = AIRLConfig(net=DiscriminatorConfig(sees=sees, hidden=(8,)))
    signal = AIRL(model_of(spec), demos_of(spec), config, np.random.default_rng(1))
    signal.reward_net.flat.value += 0.1
    return signal


@pytest.mark.parametrize("sees", ["states", "actions"])
def test_what_was_recovered_is_the_same_when_it_is_found_again(sees, tmp_path):
    signal = recovered(sees=sees)
    folder = save_reward(signal, tmp_path / "reward", {"env": "Tiny-v0"})
    net = load_reward(folder, model_of(SPEC))
    batch = in_order(demos_of(SPEC), signal.model.dist)
    config = RecoveredConfig(folder=str(folder), scale=0.5, alive=0.25)
    g = signal.reward_net(signal.reward_net.see({"obs": batch.obs["obs"][:-1]}, batch.code, {}))
    expected = 0.5 * (g.array[..., 0] + 0.25) * batch.acted[:-1]
    assert Recovered(net, config).reward(batch) == pytest.approx(expected, abs=1e-6)
    assert Recovered(net, config).update(batch) == {}
    about = json.loads((folder / "reward.json").read_text())
    assert about["facts"] == {"env": "Tiny-v0"}
    assert about["discount"] == signal.discount


def test_a_reward_of_states_serves_whoever_does_something_else(tmp_path):
    folder = save_reward(recovered(), tmp_path / "reward")
    other = Spec(obs=SEEN, action=ActionSpec(continuous=2, low=(-1, -1), high=(1, 1)))
    load_reward(folder, model_of(other, SoftProduct))
    mask = {"mask": Obs(kind="mask", shape=(2,), dtype="bool")}
    load_reward(folder, model_of(Spec(obs=SEEN | mask, action=TWO)))


TWO = ActionSpec(branches=(2,))


def test_a_reward_that_does_not_fit_says_what_differs(tmp_path):
    folder = save_reward(recovered(sees="actions"), tmp_path / "reward")
    with pytest.raises(ConfigError, match="something else is seen or done"):
        load_reward(folder, model_of(Spec(obs=SEEN, action=TWO)))
    elsewhere = Spec(obs={"obs": Obs(kind="vector", shape=(2,))}, action=SPEC.action)
    folder = save_reward(recovered(), tmp_path / "reward")
    with pytest.raises(ConfigError, match="something else is seen or done"):
        load_reward(folder, model_of(elsewhere))


def test_numbers_of_another_unit_are_refused(tmp_path):
    free = Spec(obs=SEEN, action=ActionSpec(continuous=1, low=(-np.inf,), high=(np.inf,)))
    folder = save_reward(recovered(free, "actions"), tmp_path / "reward")
    net = NetConfig(hidden=(4,), normalize=False)
    dist = Product(free.action, np.zeros(1), np.full(1, 3.0))
    with pytest.raises(ConfigError, match="take one action for another"):
        load_reward(folder, make_model(free, dist, net, np.random.default_rng(0)))


def test_damage_and_other_folders_are_found_out(tmp_path):
    with pytest.raises(CheckpointError):
        load_reward(tmp_path / "nothing", model_of(SPEC))
    folder = save_reward(recovered(), tmp_path / "reward")
    (folder / "reward.json").write_text("{}")
    with pytest.raises(CheckpointError):
        load_reward(folder, model_of(SPEC))


@pytest.mark.parametrize("method", ["ppo", "sac"])
def test_a_fresh_agent_seeks_what_a_run_has_left(method, tmp_path):
    def world():
        return TinyEnv({"agent": [[3], [5]]}, {"agent": [1, 1]}, SPEC.action)

    net = NetConfig(hidden=(6,), normalize=False)
    airl: dict[str, SignalConfig] = {"airl": recovered().config}
    taught = OnPolicyConfig(method="airl", steps=64, rows=16, net=net, signals=airl)
    run = make_run(world(), taught, lambda line: None, demos=demos_of(SPEC))
    run.learn()
    run.leave(tmp_path)
    sought: dict[str, SignalConfig] = {
        "recovered": RecoveredConfig(folder=str(tmp_path / "rewards" / "airl"))
    }
    fresh = OnPolicyConfig(steps=64, rows=16, net=net, signals=sought)
    if method == "sac":
        practice = PracticeConfig(batch_size=8, warmup_steps=10)
        fresh = OffPolicyConfig(steps=40, net=net, practice=practice, signals=sought)
    again = make_run(world(), fresh, lambda line: None)
    again.learn()
    assert list(again.learner.signals) == ["extrinsic", "recovered"]
    found, kept = again.learner.signals["recovered"], run.learner.signals["airl"]
    assert isinstance(found, Recovered)
    assert isinstance(kept, AIRL)
    assert (found.net.flat.value == kept.reward_net.flat.value).all()
    leave_rewards(again.learner.signals, tmp_path / "again", {})
    assert not (tmp_path / "again").exists(), "it has recovered nothing itself"
