"""Learn, record and evaluate in three words."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import understudy.envs.gym as our_gym
import understudy.worlds.tasks  # noqa: F401 (registers them)
from understudy import settings
from understudy.agent import changed
from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.envs.gym import GymEnv
from understudy.errors import ConfigError, DemoError, EnvError, UnderstudyError
from understudy.nets.critic import CriticConfig
from understudy.nets.model import NetConfig
from understudy.ops.cost import Cost
from understudy.presets import BC, PPO, SAC, evaluate, record, settings_for
from understudy.run.cloning import BCConfig
from understudy.run.held_out import look_at
from understudy.run.methods import config_class
from understudy.run.mixed import Mixed
from understudy.run.on_policy import OnPolicyConfig
from understudy.run.practice import PracticeConfig
from understudy.run.shown import ShownConfig
from understudy.run.tuned import FOLDER
from understudy.terms.clone import CloneConfig
from worlds import TinyEnv, toy_demos

SMALL = NetConfig(hidden=(8,))


def toys(seed=0):
    return toy_demos("vector", "discrete", 6, 12, np.random.default_rng(seed))


@pytest.fixture
def closed(monkeypatch):
    """Every `GymEnv` that was closed."""
    seen: list[GymEnv] = []
    close = our_gym.GymEnv.close

    def noting(self):
        seen.append(self)
        close(self)

    monkeypatch.setattr(our_gym.GymEnv, "close", noting)
    return seen


def test_one_demonstration_of_balancing_a_pole_is_enough():
    demos = record("CartPole-v1", episodes=1)
    assert demos.lengths.tolist() == [500]
    agent = BC("CartPole-v1", demos).learn()
    found = evaluate(agent, "CartPole-v1", episodes=20)
    assert found.returns.mean() >= 475


def test_learning_needs_no_environment():
    agent = BC(None, toys(), net=SMALL, steps=300)
    before = agent.report()
    after = agent.learn().report()
    assert before is not None
    assert after is not None
    assert after.policy.log_prob > before.policy.log_prob
    assert agent.config.env is None
    assert agent.policy.facts == {"method": "bc", "env": None, "seed": 0, "steps": 300}
    assert [line["step"] for line in agent.log if "loss" in line] == [100, 200, 300]


def test_a_config_is_heeded_and_single_settings_change_it():
    config = BCConfig(seed=7, env="Some-v0", steps=50, net=SMALL)
    agent = BC(None, toys(), config=config, steps=9)
    assert (agent.config.seed, agent.config.env, agent.config.steps) == (7, "Some-v0", 9)
    assert BC(None, toys(), config=config, seed=3).config.seed == 3


def test_wrong_settings_are_refused_before_anything_is_learned():
    with pytest.raises(ConfigError, match="'speed'"):
        BC(None, toys(), speed=3)
    with pytest.raises(ConfigError, match="steps"):
        BC(None, toys(), steps=-1)


def test_demonstrations_that_do_not_fit_are_refused():
    with pytest.raises(DemoError, match="do not fit the environment"):
        BC("CartPole-v1", toys())
    wide = Spec(obs={"vector": Obs(kind="vector", shape=(9,))}, action=ActionSpec(branches=(3,)))
    with pytest.raises(DemoError, match=r"vector \[9\] here and vector \[4\] there"):
        BC(wide, toys())


def test_learning_again_is_refused():
    agent = BC(None, toys(), net=SMALL).learn(10)
    with pytest.raises(UnderstudyError, match="has learned already"):
        agent.learn()


def test_a_saved_agent_predicts_the_same_and_cannot_learn_on(tmp_path):
    agent = BC(None, toys(), net=SMALL, seed=4).learn(50)
    again = BC.load(agent.save(tmp_path / "agent"))
    obs = toys().episodes[0].obs["vector"]
    a, b = (x.predict(obs, deterministic=True)[0] for x in (agent, again))
    assert a.discrete.tolist() == b.discrete.tolist()
    assert again.config.net == SMALL
    assert again.report() is None
    with pytest.raises(UnderstudyError, match="make another BC"):
        again.learn()


def test_recording_says_where_it_came_from(closed):
    demos = record("CartPole-v1", "random", episodes=3, seed=5, slots=2)
    assert len(demos) == 3
    assert demos.provenance.env_id == "CartPole-v1"
    assert demos.provenance.actor == "random"
    assert "gymnasium" in demos.provenance.versions
    assert len(closed) == 1
    same = record("CartPole-v1", "random", episodes=3, seed=5, slots=2)
    assert same.lengths.tolist() == demos.lengths.tolist()


def test_anything_that_acts_can_be_recorded_and_evaluated():
    env = TinyEnv({"agent": [[3], [4]]})
    actor = Fixed(lambda obs: Action.zeros(env.behaviors["agent"].action, len(obs["obs"])))
    assert sorted(record(env, actor, episodes=2).lengths.tolist()) == [3, 4]
    assert record(env, actor, episodes=1).provenance.actor == "Fixed"
    assert evaluate(actor, env, episodes=4).returns.tolist() == [3, 3, 4, 4]
    assert env.closed == 0, "it belongs to whoever made it"


def test_unknown_actors_are_refused():
    with pytest.raises(ConfigError, match="actor 'expert': expected scripted, random"):
        record(TinyEnv(), "expert", episodes=1)
    with pytest.raises(EnvError, match="no scripted expert for Tiny-v0"):
        record(TinyEnv(), episodes=1)


def test_environments_are_closed_by_whoever_made_them(closed):
    evaluate("random", "CartPole-v1", episodes=2)
    evaluate("random", lambda: gym.make("CartPole-v1"), episodes=2)
    assert len(closed) == 2
    mine = gym.make("CartPole-v1")
    assert len(evaluate("random", mine, episodes=2)) == 2
    assert len(closed) == 2
    mine.close()


def test_every_actor_is_shown_the_same_starts():
    found = [evaluate("random", "CartPole-v1", episodes=4, seed=s).returns for s in (1, 1, 2)]
    assert found[0].tolist() == found[1].tolist() != found[2].tolist()


def test_a_policy_that_does_not_fit_the_environment_is_refused():
    agent = BC(None, toys(), net=SMALL)
    with pytest.raises(
        ConfigError, match="does not fit CartPole-v1: observation 'vector' is missing"
    ):
        evaluate(agent, "CartPole-v1", episodes=1)


def test_sampled_and_likeliest_actions_can_both_be_evaluated():
    demos = record("CartPole-v1", episodes=1)
    agent = BC("CartPole-v1", demos, steps=300, net=SMALL).learn()
    likeliest = evaluate(agent, "CartPole-v1", episodes=4)
    drawn = evaluate(agent, "CartPole-v1", episodes=4, deterministic=False)
    assert likeliest.returns.tolist() != drawn.returns.tolist()
    again = evaluate(agent.policy, "CartPole-v1", episodes=4, deterministic=False)
    assert again.returns.tolist() == drawn.returns.tolist()


class Modest:
    """Holds the head near zero."""

    def weight(self, progress):
        return 1.0

    def loss(self, model, batch):
        head, _ = model.policy(batch.obs, batch.state, batch.fresh)
        share = batch.share[..., None]
        return Cost(lambda: float((share * head.array**2).sum() / 2), [(head, share * head.array)])


def test_a_term_of_ones_own_joins_cloning():
    plain = BC(None, toys(), net=SMALL, steps=200).learn()
    agent = BC(None, toys(), net=SMALL, steps=200, terms={"modest": Modest()}).learn()
    assert {"loss", "loss/clone", "loss/modest"} <= {name for line in agent.log for name in line}
    model, rows = agent.policy.model, toys().rows()
    sure, unsure = (np.abs(look_at(m, rows)).mean() for m in (plain.policy.model, model))
    assert unsure < 0.8 * sure


def test_ppo_learns_is_saved_and_acts_the_same_when_loaded(tmp_path):
    agent = PPO("CartPole-v1", seed=0, slots=4, rows=64, steps=20_000).learn()
    found = evaluate(agent, "CartPole-v1", episodes=20)
    assert found.iqm > 100, "a policy that has learned nothing brings about 20"
    loaded = PPO.load(agent.save(tmp_path / "policy"))
    obs = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    ours, _ = agent.predict(obs, deterministic=True)
    theirs, _ = loaded.predict(obs, deterministic=True)
    assert (ours == theirs).all()
    with pytest.raises(UnderstudyError, match="learned already"):
        loaded.learn()


class StopAt:
    def __init__(self, step):
        self.step = step

    def see(self, progress, metrics):
        if progress.steps >= self.step:
            progress.stop = "enough for now"


def test_a_ppo_run_taken_up_from_its_state_ends_the_same():
    straight, first, second = (
        PPO("CartPole-v1", slots=2, rows=32, steps=640).run for _ in range(3)
    )
    assert straight
    assert first
    assert second
    straight.learn()
    first.learn(watchers=[StopAt(320)])
    assert first.progress.steps < 640
    second.load_state_dict(first.state_dict())
    second.learn()
    assert (straight.model.flat.value == second.model.flat.value).all()


def inside(agent: PPO | SAC) -> Any:
    """The run, whose parts are of the method's own kinds."""
    assert agent.run is not None
    return agent.run


def test_sac_learns_is_saved_and_acts_the_same_when_loaded(tmp_path):
    net, critic = NetConfig(hidden=(16,), normalize=False), CriticConfig(hidden=(16,))
    practice = PracticeConfig(warmup_steps=50, batch_size=16)
    small = {"net": net, "critic": critic, "practice": practice, "steps": 120}
    agent = SAC("Pendulum-v1", seed=0, **small).learn()
    assert inside(agent).learner.policy_adam.num_steps == 70
    loaded = SAC.load(agent.save(tmp_path / "policy"))
    obs = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    ours, theirs = (a.predict(obs, deterministic=True)[0] for a in (agent, loaded))
    assert (ours == theirs).all()


def test_settings_tuned_for_an_environment_hold_until_something_else_is_said():
    tuned = settings_for("ppo", "CartPole-v1")
    assert tuned != OnPolicyConfig()
    assert PPO("CartPole-v1").config == changed(tuned, {"env": "CartPole-v1"})
    assert PPO("CartPole-v1", rows=64).config.rows == 64
    assert PPO("CartPole-v1", config=OnPolicyConfig()).config.rows == OnPolicyConfig().rows
    assert settings_for("ppo", TinyEnv()) == OnPolicyConfig()


def test_demonstrations_are_cloned_before_and_beside_acting():
    demos = record("CartPole-v1", episodes=2)
    shown = ShownConfig(pretrain=300)
    agent = PPO("CartPole-v1", demos=demos, shown=shown, steps=500)
    already = evaluate(agent, "CartPole-v1", episodes=5)
    assert already.returns.mean() > 100, "cloning has come first"
    agent.learn()
    assert set(inside(agent).learner.terms) == {"clone"}
    assert "shown" in inside(agent).parts
    alone = replace(shown, clone=CloneConfig(weight=0))
    agent = PPO("CartPole-v1", demos=demos, shown=alone, steps=500)
    assert not inside(agent).learner.terms


def test_sac_remembers_demonstrations_in_every_batch():
    demos = record("CartPole-v1", episodes=1)
    agent = SAC("CartPole-v1", demos=demos, shown=ShownConfig(pretrain=20))
    assert isinstance(inside(agent).source.source, Mixed)
    assert set(inside(agent).learner.terms) == {"clone"}


def test_demonstrations_of_something_else_are_refused_before_acting():
    with pytest.raises(DemoError, match="do not fit the environment"):
        PPO("CartPole-v1", demos=toys())


@pytest.mark.parametrize("method", ["ppo", "sac"])
def test_every_tuned_file_can_be_read_and_is_of_a_known_environment(method):
    files = sorted((FOLDER / method).glob("*.yaml"))
    for file in files:
        assert settings.read(config_class(method), files=[file]).method == method
        assert file.stem.replace("ALE.", "ALE/") in gym.registry
