"""Putting adversarial imitation together: a discriminator's reward, and who seeks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import numpy as np

from understudy.data.demos import Demos
from understudy.envs.env import Env
from understudy.learners.ppo import PPOConfig
from understudy.learners.sac import SACConfig
from understudy.nets.critic import CriticConfig
from understudy.nets.model import NetConfig
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct
from understudy.rewards.extrinsic import ExtrinsicConfig
from understudy.rewards.gail import GAIL, GAILConfig
from understudy.run.keep import KeepConfig
from understudy.run.off_policy import OffPolicyConfig, off_policy
from understudy.run.on_policy import OnPolicyConfig, on_policy
from understudy.run.practice import PracticeConfig
from understudy.run.reinforcement import Reinforcement
from understudy.run.rollouts import only_behavior
from understudy.run.shown import ShownConfig
from understudy.run.watch import Note
from understudy.terms.clone import CloneConfig

Acting = TypeVar("Acting", OnPolicyConfig, OffPolicyConfig)

_NOT_CLONED = ShownConfig(clone=CloneConfig(weight=0))


class _Nested(Generic[Acting]):
    """Settings that say under `acting` what other runs say at the top. See `ActingConfig`."""

    __slots__ = ()
    acting: Acting

    @property
    def env(self) -> str | None:
        """The environment's id."""
        return self.acting.env

    @property
    def seed(self) -> int:
        """Of everything that is random."""
        return self.acting.seed

    @property
    def steps(self) -> int:
        """Of the environment in all."""
        return self.acting.steps

    @property
    def net(self) -> NetConfig:
        """What the policy looks like."""
        return self.acting.net

    @property
    def keep(self) -> KeepConfig:
        """What is written down."""
        return self.acting.keep


@dataclass(frozen=True, kw_only=True, slots=True)
class OnPolicyImitationConfig(_Nested[OnPolicyConfig]):
    """Generative adversarial imitation by PPO."""

    method: Literal["gail"] = "gail"
    """How to learn."""
    acting: OnPolicyConfig = field(
        default_factory=lambda: OnPolicyConfig(
            rows=128,
            learner=PPOConfig(learning_rate=1e-3, minibatch=256, epochs=10, lam=0.9, entropy=1e-3),
            extrinsic=ExtrinsicConfig(strength=0),
            shown=_NOT_CLONED,
        )
    )
    """How the policy acts and moves; the environment's reward does not count by default."""
    gail: GAILConfig = field(
        default_factory=lambda: GAILConfig(
            updates=8, learning_rate=1e-3, penalty=0.5, offset_rows=2000
        )
    )
    """What it seeks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OffPolicyImitationConfig(_Nested[OffPolicyConfig]):
    """Adversarial imitation by SAC: discriminator-actor-critic."""

    method: Literal["dac"] = "dac"
    """How to learn."""
    acting: OffPolicyConfig = field(
        default_factory=lambda: OffPolicyConfig(
            learner=SACConfig(tau=0.01, temperature=0.01, schedule="linear", entropy=-0.5),
            critic=CriticConfig(layer_norm=True),
            practice=PracticeConfig(batch_size=128, demo_ratio=0.25),
            extrinsic=ExtrinsicConfig(strength=0),
            shown=_NOT_CLONED,
        )
    )
    """How the policy acts and moves; the environment's reward does not count by default."""
    gail: GAILConfig = field(default_factory=GAILConfig)
    """What it seeks."""


ImitationConfig = OnPolicyImitationConfig | OffPolicyImitationConfig
"""Settings of either kind."""


def imitate(env: Env, demos: Demos, config: ImitationConfig, note: Note) -> Reinforcement:
    """Make everything that a run of adversarial imitation needs, and reset the environment.

    Args:
        env: Where to act; it has one behavior.
        demos: What was shown; rewards are not needed unless the environment's own count too.
        config: The settings.
        note: Takes lines for the log.

    Raises:
        ConfigError: The discriminator cannot look at what is seen.
        DemoError: The demonstrations do not fit the environment, or are empty.
    """
    if isinstance(config, OnPolicyImitationConfig):
        run = _on_policy(env, demos, config, note)
    else:
        run = _off_policy(env, demos, config, note)
    # What was made says how all of it was set.
    run.config = config
    return run


def _on_policy(
    env: Env, demos: Demos, config: OnPolicyImitationConfig, note: Note
) -> Reinforcement:
    spec, acting = env.behaviors[only_behavior(env)], config.acting
    signal = GAIL(spec, Product(spec.action), demos, config.gail, _fifth_stream(acting.seed))
    helping = demos if _cloned(acting.shown) else None
    return on_policy(env, acting, note, demos=helping, signals={"gail": signal})


def _off_policy(
    env: Env, demos: Demos, config: OffPolicyImitationConfig, note: Note
) -> Reinforcement:
    spec, acting = env.behaviors[only_behavior(env)], config.acting
    signal = GAIL(spec, SoftProduct(spec.action), demos, config.gail, _fifth_stream(acting.seed))
    helping = demos if _cloned(acting.shown) or acting.practice.demo_ratio else None
    return off_policy(env, acting, note, demos=helping, signals={"gail": signal})


def _fifth_stream(seed: int) -> np.random.Generator:
    """What a discriminator draws from.

    It lies behind the four that every acting run has, so that a policy begins with the weights that
    it has without a discriminator.
    """
    return np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[4])


def _cloned(shown: ShownConfig) -> bool:
    """Whether demonstrations are cloned, before or beside."""
    return shown.pretrain > 0 or shown.clone.weight > 0
