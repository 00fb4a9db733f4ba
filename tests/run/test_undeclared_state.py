"""Nothing that learning changes is forgotten by a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import ActionSpec
from understudy.learners.ppo import PPOConfig
from understudy.learners.sac import SACConfig
from understudy.nets.critic import CriticConfig
from understudy.nets.discriminator import DiscriminatorConfig
from understudy.nets.model import NetConfig
from understudy.rewards.airl import AIRLConfig
from understudy.rewards.density import DensityConfig
from understudy.rewards.gail import GAILConfig
from understudy.rewards.pwil import PWILConfig
from understudy.rewards.rnd import RNDConfig
from understudy.run import checkpoint
from understudy.run.cloning import BCConfig, Cloning
from understudy.run.off_policy import OffPolicyConfig, off_policy
from understudy.run.on_policy import OnPolicyConfig, on_policy
from understudy.run.practice import PracticeConfig
from understudy.run.reinforcement import Reinforcement
from understudy.run.sought import SignalConfig
from understudy.run.source import OfflineConfig
from understudy.run.watch import HeldOutConfig
from walked import differing, walk
from worlds import TinyEnv, episode_of, toy_demos


def acting(which: str, net: dict[str, Any]) -> Reinforcement:
    """A run of PPO or SAC in a tiny world, leaning on demonstrations."""
    env = TinyEnv({"agent": [[3], [5]]}, {"agent": [1, 2]}, ActionSpec(branches=(3,)))
    seeing = NetConfig(hidden=(6,), **net)
    if which == "ppo":
        return on_policy(
            env,
            OnPolicyConfig(steps=1000, rows=8, net=seeing, learner=PPOConfig(length=4)),
            lambda line: None,
        )
    practice = PracticeConfig(
        capacity=60,
        batch_size=8,
        length=2,
        burn_in=2,
        n_step=2,
        warmup_steps=20,
        turn_steps=4,
        updates_per_step=0.7,
    )
    config = OffPolicyConfig(
        steps=1000,
        net=replace(seeing, normalize=False),
        critic=CriticConfig(hidden=(6,), num_critics=3, layer_norm=True),
        learner=SACConfig(),
        practice=practice,
    )
    return off_policy(env, config, lambda line: None)


def make(kind: str, memory: int) -> Cloning:
    demos = toy_demos(kind, "hybrid", 6, 10, np.random.default_rng(0), memory_task=memory > 0)
    config = BCConfig(
        steps=1000,
        net=NetConfig(hidden=(6,), memory=memory, entity_width=8),
        source=OfflineConfig(batch_size=16, length=4, turn=4),
        held_out=HeldOutConfig(every=4, fraction=0.3),
    )
    return Cloning(demos.spec, demos, config, lambda line: None)


def go_on(run: Cloning | Reinforcement, steps: int) -> None:
    run.progress.total = run.progress.steps + steps
    run.learn()
    run.progress.total = 1000


@pytest.mark.parametrize(("kind", "memory"), [("vector", 0), ("vector", 3), ("all", 3)])
def test_whatever_learning_changes_is_in_the_checkpoint(kind, memory, tmp_path):
    run, fresh = make(kind, memory), make(kind, memory)
    before = walk(run)
    assert not differing(before, walk(fresh)), "the seed decides everything"
    go_on(run, 22)
    after = walk(run)
    changed = differing(before, after)
    checkpoint.save(tmp_path, 22, run.state_dict())
    fresh.load_state_dict(checkpoint.load(tmp_path).state)
    assert not differing(after, walk(fresh))
    # The walk sees what it must: weights, moments, order, chance, the best look, progress.
    assert {
        "progress.steps",
        "learner.average",
        "learner.optimizer.mean",
        "learner.num_updates",
        "source.rng",
        "source._order",
        "source.num_epochs",
        "held_out.best_step",
        "held_out.best_weights",
    } <= changed
    assert any(path.endswith("flat.value") for path in changed)
    assert memory == 0 or any(path.startswith("source._state") for path in changed)


@pytest.mark.parametrize("net", [{}, {"memory": 3}, {"memory": 3, "cell": "gru"}], ids=str)
@pytest.mark.parametrize("which", ["ppo", "sac"])
def test_whatever_acting_and_learning_change_is_in_the_checkpoint(which, net, tmp_path):
    run, fresh = acting(which, net), acting(which, net)
    before = walk(run)
    assert not differing(before, walk(fresh)), "the seed decides everything"
    go_on(run, 70)
    after = walk(run)
    changed = differing(before, after)
    checkpoint.save(tmp_path, 70, run.state_dict())
    fresh.load_state_dict(checkpoint.load(tmp_path).state)
    assert not differing(walk(run), walk(fresh))
    seen = {
        "ppo": {"learner.optimizer.mean", "learner.rng", "source.store.obs.obs"},
        "sac": {
            "learner.policy_adam.mean",
            "learner.critic_adam.num_steps",
            "learner.heat.value",
            "learner.rng",
            "source.replay.count",
            "source.replay.obs.obs",
            "source._due",
        },
    }
    assert {"progress.steps", "source.rng", "source._tally._sums", *seen[which]} <= changed
    assert any(path.endswith("flat.value") for path in changed)
    if net and which == "sac":
        assert "source.replay.state.policy.h" in changed


SIGNALS: dict[str, SignalConfig] = {
    "gail": GAILConfig(net=DiscriminatorConfig(hidden=(6,))),
    "airl": AIRLConfig(net=DiscriminatorConfig(sees="states", hidden=(6,)), length=4),
    "density": DensityConfig(),
    "rnd": RNDConfig(hidden=(6,)),
}


@pytest.mark.parametrize("memory", [0, 3])
@pytest.mark.parametrize("which", ["ppo", "sac"])
def test_whatever_signals_change_is_in_the_checkpoint(which, memory, tmp_path):
    signals = SIGNALS | ({"pwil": PWILConfig()} if which == "ppo" else {})
    spec = TinyEnv(action=ActionSpec(branches=(3,))).behaviors["agent"]
    facts = {"discrete": [0, 1, 2, 1, 0], "end": End.TERMINATED}
    walks = np.random.default_rng(0).normal(size=(4, 6, 3))
    demos = Demos(spec, [episode_of(spec, x, reward=np.ones(5), **facts) for x in walks])

    def make() -> Reinforcement:
        plain: Any = acting(which, {"memory": memory})
        learn = on_policy if which == "ppo" else off_policy
        config = replace(plain.config, signals=signals)
        return learn(plain.source.env, config, lambda line: None, demos=demos)

    run, fresh = make(), make()
    before = walk(run)
    go_on(run, 70)
    changed = differing(before, walk(run))
    checkpoint.save(tmp_path, 70, run.state_dict())
    fresh.load_state_dict(checkpoint.load(tmp_path).state)
    assert not differing(walk(run), walk(fresh))
    seen = {f"learner.signals.{name}" for name in signals if name != "density"}
    assert not {name for name in seen if not any(path.startswith(name) for path in changed)}


def test_state_that_is_not_declared_is_found(tmp_path):
    run, fresh = make("vector", 0), make("vector", 0)
    update = run.learner.update

    class Counted:
        """Counts updates, and tells nobody."""

        def __init__(self):
            self.count = 0

        def __call__(self, batch, progress):
            self.count += 1
            return update(batch, progress)

    run.learner.update = Counted()
    fresh.learner.update = Counted()
    go_on(run, 3)
    fresh.load_state_dict(run.state_dict())
    assert "learner.update.count" in differing(walk(run), walk(fresh))
