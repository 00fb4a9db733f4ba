"""An expert that can be asked, in one word."""

from __future__ import annotations

import numpy as np
import pytest

import understudy
from understudy.data.episode import ActedBy
from understudy.data.formats.native import write_demos
from understudy.envs.gym import GymEnv
from understudy.errors import CheckpointError, ConfigError, EnvError, UnderstudyError
from understudy.interactive import DAgger, expert_of
from understudy.nets.model import NetConfig
from understudy.presets import BC, evaluate, record
from understudy.run.dagger import DAggerConfig
from understudy.run.gates import GateConfig
from understudy.run.policy import Policy

PLAIN = DAggerConfig(rounds=2, labels=60, updates=300, trials=0, net=NetConfig(hidden=(32,)))


def small(expert=None, **changes):
    return DAgger("CartPole-v1", expert, config=PLAIN, **changes)


def balance(obs):
    """Lean the pole against where the cart has gone."""
    return int(obs @ np.array([0.1, 0.3, 3.0, 1.0]) > 0)


class Strict:
    """Not an expert."""


def test_six_hundred_labels_balance_a_pole():
    agent = DAgger("CartPole-v1", "scripted", trials=0).learn()
    assert agent.labels().num_steps == 600
    found = evaluate(agent, "CartPole-v1", episodes=20)
    assert found.iqm >= 490
    assert agent.policy.facts["labels"] == 600


def test_an_expert_that_is_always_wrong_is_copied_in_that():
    agent = small(lambda obs: 0).learn()
    assert evaluate(agent, "CartPole-v1", episodes=20).returns.mean() <= 12


@pytest.mark.parametrize("slots", [1, 3])
def test_a_function_and_the_script_it_is_teach_the_same(slots):
    one, other = (small(expert, slots=slots).learn() for expert in (balance, "scripted"))
    assert np.array_equal(one.policy.model.flat.value, other.policy.model.flat.value)
    assert (one.config.expert, other.config.expert) == ("balance", "scripted")


def test_agents_policies_runs_and_actors_are_experts(tmp_path):
    clone = BC("CartPole-v1", record("CartPole-v1", episodes=2), steps=200).learn()
    folder = clone.save(tmp_path / "policy")
    actor = clone.policy.actor()
    learned = [small(who).learn() for who in (clone, clone.policy, folder, str(folder), actor)]
    first = learned[0].policy.model.flat.value
    assert all(np.array_equal(first, one.policy.model.flat.value) for one in learned)
    assert (learned[0].labels().episodes[0].acted_by == ActedBy.POLICY).all()


def test_an_expert_may_speak_only_where_it_wants_to():
    def sparing(obs):
        return balance(obs) if abs(obs[2]) > 0.02 else None

    agent = small(
        sparing, gate=GateConfig(kind="takeover"), demos=record("CartPole-v1", episodes=1)
    )
    agent.learn()
    second = [e for e in agent.labels() if e.info.get("round") == 1]
    who = np.concatenate([e.acted_by for e in second])
    assert set(who.tolist()) == {ActedBy.SCRIPT, ActedBy.UNLABELED}
    leans = np.concatenate([np.abs(e.obs["obs"][:-1, 2]) > 0.02 for e in second])
    assert ((who == ActedBy.SCRIPT) == leans).all()


def test_what_was_asked_is_a_demonstration_that_can_be_learned_from_again(tmp_path):
    write_demos(tmp_path / "asked", small().learn().labels())
    demos = understudy.load_demos(tmp_path / "asked")
    agent = BC("CartPole-v1", demos, steps=300).learn()
    assert evaluate(agent, "CartPole-v1", episodes=10).returns.mean() > 100


def test_it_is_saved_and_acts_the_same_when_loaded(tmp_path):
    agent = small().learn()
    loaded = understudy.DAgger.load(agent.save(tmp_path / "policy"))
    obs = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    ours, theirs = (a.predict(obs, deterministic=True)[0] for a in (agent, loaded))
    assert (ours == theirs).all()
    assert loaded.config.net == agent.config.net
    assert isinstance(loaded.policy, Policy)
    with pytest.raises(UnderstudyError, match="make another DAgger"):
        loaded.learn()
    with pytest.raises(ConfigError, match="has no labels"):
        loaded.labels()


def test_settings_tuned_for_the_environment_are_begun_with():
    agent = DAgger("CartPole-v1", seed=3, rounds=7)
    assert (agent.config.labels, agent.config.rounds, agent.config.seed) == (200, 7, 3)


@pytest.mark.parametrize(
    ("expert", "error", "said"),
    [
        ("nobody", CheckpointError, "no run 'nobody'"),
        ("nowhere:expert", ConfigError, "is nowhere.py here"),
        ("math:expert", ConfigError, "there is no 'expert' in math"),
        (Strict, ConfigError, "expected an object, not its class"),
        (Strict(), ConfigError, "expected scripted, a run"),
        (7, ConfigError, "expected scripted, a run"),
    ],
)
def test_who_is_no_expert_is_refused_before_anything_is_done(expert, error, said, tmp_path):
    with pytest.raises(error, match=said):
        expert_of(expert, GymEnv("CartPole-v1", 1), tmp_path)


def test_an_expert_of_another_task_is_refused():
    clone = BC("CartPole-v1", record("CartPole-v1", episodes=1), steps=10).learn()
    with pytest.raises(ConfigError, match="does not fit MountainCar-v0"):
        expert_of(clone, GymEnv("MountainCar-v0", 1))
    with pytest.raises(EnvError, match="no scripted expert"):
        expert_of("scripted", GymEnv("Blackjack-v1", 1))


def test_a_module_names_an_expert(tmp_path, monkeypatch):
    (tmp_path / "teachers.py").write_text("def left(obs):\n    return 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    agent = small("teachers:left").learn()
    assert agent.config.expert == "teachers:left"
    assert {int(a) for e in agent.labels() for a in e.meant.discrete[:, 0]} == {0}


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match="round"):
        small(round=3)
    with pytest.raises(ConfigError, match="beta"):
        small(beta=())
