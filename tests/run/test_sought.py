"""Runs that seek what the settings name: put together, stopped and gone on with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import ActionSpec
from understudy.errors import ConfigError
from understudy.learners.ppo import PPO
from understudy.learners.sac import SAC, SACConfig
from understudy.nets.critic import CriticConfig
from understudy.nets.discriminator import DiscriminatorConfig
from understudy.nets.model import NetConfig
from understudy.rewards.airl import AIRL, AIRLConfig
from understudy.rewards.density import DensityConfig
from understudy.rewards.extrinsic import ExtrinsicConfig
from understudy.rewards.gail import GAIL, GAILConfig
from understudy.rewards.pwil import PWILConfig
from understudy.rewards.rnd import RNDConfig
from understudy.rewards.sqil import SQILConfig
from understudy.run import checkpoint
from understudy.run.methods import make_run
from understudy.run.mixed import Mixed
from understudy.run.off_policy import OffPolicyConfig, off_policy
from understudy.run.on_policy import OnPolicyConfig, on_policy
from understudy.run.practice import Practice, PracticeConfig
from understudy.run.reinforcement import Reinforcement
from understudy.run.shown import ShownConfig
from understudy.terms.clone import CloneConfig
from walked import differing, walk
from worlds import ACTION_KINDS, CueEnv, TinyEnv, episode_of, toy_demos

SIGNAL = GAILConfig(net=DiscriminatorConfig(hidden=(8,)), updates=2)
OTHERS = {
    "airl": AIRLConfig(net=DiscriminatorConfig(sees="states", hidden=(8,)), updates=2, length=4),
    "pwil": PWILConfig(),
    "density": DensityConfig(),
    "rnd": RNDConfig(hidden=(8,), features=4),
}
"""Signals beside those of the presets."""
NOT_EXTRINSIC = ExtrinsicConfig(strength=0)


def tiny():
    return TinyEnv({"agent": [[3], [5]]}, {"agent": [1, 2]}, ActionSpec(branches=(3,)))


def tiny_demos():
    """Six episodes in that world, whatever was done there."""
    spec = tiny().behaviors["agent"]
    rng = np.random.default_rng(0)
    made = [
        episode_of(
            spec,
            np.stack([np.zeros(5), np.full(5, k), np.arange(5)], 1),
            discrete=rng.integers(0, 3, 4),
            end=End.TRUNCATED if k % 2 else End.TERMINATED,
        )
        for k in range(6)
    ]
    return Demos(spec, made)


def on(signals=None, **changes):
    net = NetConfig(hidden=(6,), normalize=False)
    signals = {"gail": SIGNAL} if signals is None else signals
    common = {"extrinsic": NOT_EXTRINSIC, "shown": uncloned(), "signals": signals}
    return OnPolicyConfig(method="gail", steps=400, rows=16, net=net, **{**common, **changes})


def off(ratio=0.25, signals=None, **changes):
    return OffPolicyConfig(
        method="dac",
        steps=120,
        net=NetConfig(hidden=(6,), normalize=False),
        critic=CriticConfig(hidden=(6,)),
        learner=SACConfig(),
        practice=PracticeConfig(batch_size=16, warmup_steps=20, demo_ratio=ratio),
        extrinsic=NOT_EXTRINSIC,
        signals={"gail": replace(SIGNAL, updates=1)} if signals is None else signals,
        **changes,
    )


def imitate(env, demos, config, note=lambda line: None):
    return make_run(env, config, note, demos=demos)


def uncloned():
    return ShownConfig(clone=CloneConfig(weight=0))


class StopAt:
    def __init__(self, step):
        self.step = step

    def see(self, progress, metrics):
        if progress.steps >= self.step:
            progress.stop = "enough for now"


def gail_of(run: Reinforcement) -> GAIL:
    signal = run.learner.signals["gail"]
    assert isinstance(signal, GAIL)
    return signal


def weights(run):
    signal = gail_of(run)
    return np.concatenate([run.model.flat.value, signal.net.flat.value, signal.adam.square])


@pytest.mark.parametrize("config", [on(), off()], ids=["gail", "dac"])
def test_a_run_that_was_stopped_ends_with_the_same_bits(config, tmp_path):
    straight, first, second = (imitate(tiny(), tiny_demos(), config) for _ in range(3))
    straight.learn()
    first.learn(watchers=[StopAt(config.steps // 2)])
    assert first.progress.steps < straight.progress.steps
    checkpoint.save(tmp_path, 1, first.state_dict())
    assert (weights(first) != weights(second)).any()
    second.load_state_dict(checkpoint.load(tmp_path).state)
    second.learn()
    assert (weights(second) == weights(straight)).all()
    one, other = (gail_of(run) for run in (second, straight))
    assert one.alive
    assert other.alive
    assert one.alive.lived == other.alive.lived
    assert one.rng.bit_generator.state == other.rng.bit_generator.state


@pytest.mark.parametrize("config", [on(), off()], ids=["gail", "dac"])
def test_a_run_says_what_it_was_and_what_was_told_apart(config):
    lines = []
    config = replace(config, keep=replace(config.keep, log_every=10))
    run = imitate(tiny(), tiny_demos(), config, lines.append)
    assert set(run.learner.signals) == {"gail"}, "the environment's reward does not count"
    run.learn()
    assert run.policy().facts["method"] == config.method
    names = {name for line in lines for name in line}
    figures = "loss penalty offset lived_length accuracy/lived accuracy/shown accuracy/held_out"
    assert {f"gail/{figure}" for figure in [*figures.split(), "overfit", "alarm"]} <= names


def test_the_environments_reward_joins_if_it_has_a_strength():
    run = imitate(tiny(), tiny_demos(), on(extrinsic=ExtrinsicConfig(strength=0.5)))
    assert list(run.learner.signals) == ["extrinsic", "gail"]
    run.learn()


@pytest.mark.parametrize("ratio", [0.0, 0.25])
def test_unrewarded_demonstrations_are_mixed_into_batches_as_asked(ratio):
    run = imitate(tiny(), tiny_demos(), off(ratio))
    assert isinstance(run.source, Practice)
    assert isinstance(run.source.source, Mixed) == (ratio > 0)
    run.learn()


@pytest.mark.parametrize("make", [on, off], ids=["gail", "dac"])
def test_demonstrations_are_cloned_beside_if_that_is_asked(make):
    shown = ShownConfig(pretrain=3, clone=CloneConfig(weight=0.5))
    run = imitate(tiny(), tiny_demos(), make(shown=shown))
    assert isinstance(run.learner, PPO | SAC)
    assert set(run.learner.terms) == {"clone"}
    run.learn()


def test_a_policy_begins_with_the_weights_that_it_has_without_a_discriminator():
    plain = make_run(tiny(), on({}, extrinsic=ExtrinsicConfig()), lambda line: None)
    taught = imitate(tiny(), tiny_demos(), on())
    assert (plain.model.flat.value == taught.model.flat.value).all()


@pytest.mark.parametrize("make", [on, off], ids=["ppo", "sac"])
def test_a_signal_must_not_take_the_name_of_another(make):
    others = {"gail": gail_of(imitate(tiny(), tiny_demos(), on()))}
    learn = on_policy if make is on else off_policy
    with pytest.raises(ValueError, match="two signals are called 'gail'"):
        learn(tiny(), make(), lambda line: None, demos=tiny_demos(), signals=others)
    with pytest.raises(ConfigError, match="'extrinsic' is the environment's own"):
        imitate(
            tiny(),
            tiny_demos(),
            make({"extrinsic": SIGNAL}) if make is on else off(signals={"extrinsic": SIGNAL}),
        )


@pytest.mark.parametrize("signal", [SIGNAL, SQILConfig()], ids=["gail", "sqil"])
def test_without_demonstrations_a_signal_says_how_to_get_some(signal):
    with pytest.raises(ConfigError, match=r"signals\.like: .* needs demonstrations"):
        imitate(tiny(), None, off(signals={"like": signal}))


def test_a_reward_for_shown_rows_needs_a_learner_that_mixes_them_in():
    for config in (on({"sqil": SQILConfig()}), off(0.0, {"sqil": SQILConfig()})):
        with pytest.raises(ConfigError, match=r"signals\.sqil: .* a method that remembers"):
            imitate(tiny(), tiny_demos(), config)


@pytest.mark.parametrize("memory", [0, 4])
@pytest.mark.parametrize("action", ACTION_KINDS)
@pytest.mark.parametrize("make", [on, off], ids=["gail", "dac"])
def test_every_kind_of_action_is_imitated_with_and_without_memory(make, action, memory):
    demos = toy_demos("vector", action, 6, 8, np.random.default_rng(0))
    config = make()
    config = replace(config, net=replace(config.net, memory=memory), steps=60)
    run = imitate(CueEnv("vector", action), demos, config)
    before = gail_of(run).net.flat.value.copy()
    run.learn()
    assert (gail_of(run).net.flat.value != before).any()
    assert np.isfinite(run.model.flat.value).all()


MAKERS = [(make, name) for name in OTHERS for make in (on, off) if (make, name) != (off, "pwil")]


def seeking(make, name, **changes):
    return make(signals={name: OTHERS[name]}, **changes)


@pytest.mark.parametrize("memory", [0, 4])
@pytest.mark.parametrize("action", ACTION_KINDS)
@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_every_signal_judges_every_kind_of_action_with_and_without_memory(
    make, name, action, memory
):
    demos = toy_demos("vector", action, 6, 8, np.random.default_rng(0))
    config = seeking(make, name)
    config = replace(config, net=replace(config.net, memory=memory), steps=60)
    run = imitate(CueEnv("vector", action), demos, config)
    before = run.model.flat.value.copy()
    run.learn()
    assert (run.model.flat.value != before).any()
    assert np.isfinite(run.model.flat.value).all()


@pytest.mark.parametrize("memory", [0, 3])
@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_a_run_with_any_signal_that_was_stopped_ends_with_the_same_bits(
    make, name, memory, tmp_path
):
    config = seeking(make, name)
    config = replace(config, net=replace(config.net, memory=memory), steps=min(config.steps, 200))
    straight, first, second = (imitate(tiny(), tiny_demos(), config) for _ in range(3))
    straight.learn()
    first.learn(watchers=[StopAt(config.steps // 2)])
    assert first.progress.steps < straight.progress.steps
    checkpoint.save(tmp_path, 1, first.state_dict())
    second.load_state_dict(checkpoint.load(tmp_path).state)
    second.learn()
    assert (second.model.flat.value == straight.model.flat.value).all()
    one, other = (walk(run.learner.signals[name]) for run in (second, straight))
    assert not differing(one, other)


@pytest.mark.parametrize("make", [on, off], ids=["ppo", "sac"])
def test_signals_are_mixed_as_they_are_named(make):
    signals = {"like": SIGNAL, "curious": OTHERS["rnd"], "likely": OTHERS["density"]}
    shown = ShownConfig(pretrain=2, clone=CloneConfig(weight=0.5))
    extrinsic = ExtrinsicConfig(strength=1)
    config = replace(make(signals=signals), extrinsic=extrinsic, shown=shown, steps=60)
    env = CueEnv("vector", "hybrid")
    demos = toy_demos("vector", "hybrid", 6, 8, np.random.default_rng(0))
    run = imitate(env, demos, config)
    assert list(run.learner.signals) == ["extrinsic", "like", "curious", "likely"]
    assert isinstance(run.learner, PPO | SAC)
    assert run.learner.signals.ends.tolist() == [True, True, False, True]
    run.learn()
    assert np.isfinite(run.model.flat.value).all()


def test_curiosity_needs_no_demonstrations():
    run = imitate(tiny(), None, on({"rnd": OTHERS["rnd"]}))
    run.learn()
    assert np.isfinite(run.model.flat.value).all()


def test_rewards_that_depend_on_the_order_of_rows_need_a_learner_that_keeps_it():
    with pytest.raises(ConfigError, match=r"signals\.pwil: .* draws rows at random.*ppo"):
        imitate(tiny(), tiny_demos(), off(signals={"pwil": OTHERS["pwil"]}))


def test_only_a_learner_that_pays_for_entropy_itself_earns_f_alone():
    for make, soft in ((on, False), (off, True)):
        signal = imitate(tiny(), tiny_demos(), seeking(make, "airl")).learner.signals["airl"]
        assert isinstance(signal, AIRL)
        assert signal.soft == soft


@pytest.mark.parametrize("obs", ["image", "entities", "all"])
@pytest.mark.parametrize("make", [on, off], ids=["gail", "dac"])
def test_whatever_is_seen_is_imitated(make, obs):
    demos = toy_demos(obs, "discrete", 4, 8, np.random.default_rng(0))
    net = NetConfig(hidden=(8,), entity_width=8, normalize=False)
    config = replace(make(), net=net, steps=40)
    run = imitate(CueEnv(obs, "discrete"), demos, config)
    before = gail_of(run).net.flat.value.copy()
    run.learn()
    assert (gail_of(run).net.flat.value != before).any()
    assert np.isfinite(run.model.flat.value).all()


@pytest.mark.parametrize("seen", ["image", "entities", "all"])
@pytest.mark.parametrize("make", [on, off], ids=["ppo", "sac"])
def test_a_reward_is_recovered_whatever_is_seen(make, seen):
    demos = toy_demos(seen, "hybrid", 4, 6, np.random.default_rng(0))
    net = NetConfig(hidden=(6,), normalize=False, entity_width=4)
    config = replace(seeking(make, "airl"), net=net, steps=40)
    run = imitate(CueEnv(seen, "hybrid"), demos, config)
    signal = run.learner.signals["airl"]
    assert isinstance(signal, AIRL)
    before = [net.flat.value.copy() for net in (signal.reward_net, signal.shaping_net)]
    run.learn()
    after = [net.flat.value for net in (signal.reward_net, signal.shaping_net)]
    assert all((x != y).any() for x, y in zip(before, after, strict=True))
    assert np.isfinite(run.model.flat.value).all()


@pytest.mark.parametrize("name", ["density", "rnd"])
def test_distances_of_pictures_are_refused(name):
    demos = toy_demos("image", "hybrid", 4, 6, np.random.default_rng(0))
    with pytest.raises(ConfigError, match=rf"signals\.{name}: only vectors .* image 'image'"):
        imitate(CueEnv("image", "hybrid"), demos, seeking(on, name))
