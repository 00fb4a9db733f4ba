"""What a run seeks beside the environment's reward: signals, from their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from understudy.data.demos import Demos
from understudy.errors import ConfigError
from understudy.nets.model import Model
from understudy.rewards.airl import AIRL, AIRLConfig
from understudy.rewards.density import Density, DensityConfig
from understudy.rewards.extrinsic import ExtrinsicConfig, rewarded_for
from understudy.rewards.gail import GAIL, GAILConfig
from understudy.rewards.pwil import PWIL, PWILConfig
from understudy.rewards.recovered import Recovered, RecoveredConfig
from understudy.rewards.rnd import RND, RNDConfig
from understudy.rewards.signal import RewardSignal
from understudy.rewards.sqil import SQIL, SQILConfig
from understudy.run.recovered import load_reward

SignalConfig = (
    GAILConfig | AIRLConfig | SQILConfig | PWILConfig | DensityConfig | RNDConfig | RecoveredConfig
)
"""Settings of any signal but the environment's own."""


class Given(NamedTuple):
    """What signals are made from.

    Attributes:
        model: Who seeks them.
        demos: What was shown, if anything was.
        demo_ratio: Share of shown rows in the batches that are learned from.
        soft: Whether the learner draws remembered rows at random and pays for entropy itself, as
            SAC does; if not, whole rollouts come in order.
    """

    model: Model
    demos: Demos | None
    demo_ratio: float
    soft: bool = False

    @property
    def shown(self) -> Demos:
        """The demonstrations.

        Raises:
            ConfigError: There are none.
        """
        if self.demos is None:
            raise ConfigError(
                "a reward for being like what was shown needs demonstrations: give some "
                "(--demos FILE), or record some first (understudy record ENV -o FILE)"
            )
        return self.demos


Maker = Callable[[Given, Any, np.random.Generator], RewardSignal]

STREAMS = 4
"""Streams of random numbers that every run has without signals; theirs come behind, so that a
policy begins with the weights that it has without them."""


class Seeking(Protocol):
    """Settings that say what is sought."""

    @property
    def seed(self) -> int:
        """Of everything that is random."""
        ...

    @property
    def extrinsic(self) -> ExtrinsicConfig:
        """How the environment's reward counts."""
        ...

    @property
    def signals(self) -> Mapping[str, SignalConfig]:
        """What else is sought, by name."""
        ...


def num_sought(config: Seeking, others: Mapping[str, RewardSignal] | None) -> int:
    """How many signals `sought` will return."""
    beside = len(config.signals) + len(others or {})
    return beside + bool(config.extrinsic.strength or not beside)


def sought(
    config: Seeking, given: Given, others: Mapping[str, RewardSignal] | None
) -> dict[str, RewardSignal]:
    """The environment's reward, the signals of the settings, and others, by name.

    Args:
        config: The settings; of strength 0 the environment's own reward is left out beside others.
        given: What signals are made from.
        others: Signals that were made elsewhere.

    Raises:
        ConfigError: A signal needs demonstrations and there are none, or cannot look at what is
            seen.
        DemoError: The demonstrations do not fit, or hold no step to learn from.
        ValueError: Two signals have the same name.
    """
    names = list(config.signals)
    if twice := sorted(set(names) & set(others or {})):
        raise ValueError(f"two signals are called '{twice[0]}': name one of them otherwise")
    streams = np.random.SeedSequence(config.seed).spawn(STREAMS + len(names))[STREAMS:]
    made = {
        name: _made(name, config.signals[name], given, np.random.default_rng(stream))
        for name, stream in zip(names, streams, strict=True)
    }
    return rewarded_for(config.extrinsic, {**made, **(others or {})})


def _made(name: str, config: SignalConfig, given: Given, rng: np.random.Generator) -> RewardSignal:
    try:
        return _MAKERS[type(config)](given, config, rng)
    except ConfigError as error:
        raise ConfigError(f"signals.{name}: {error}") from None


def _gail(given: Given, config: GAILConfig, rng: np.random.Generator) -> GAIL:
    return GAIL(given.model.spec, given.model.dist, given.shown, config, rng)


def _sqil(given: Given, config: SQILConfig, rng: np.random.Generator) -> SQIL:
    if len(given.shown) and not given.demo_ratio:
        raise ConfigError(
            "a reward for shown rows needs batches that they are mixed into: learn with a method "
            "that remembers (sac), and practice.demo_ratio above 0"
        )
    return SQIL(config)


def _airl(given: Given, config: AIRLConfig, rng: np.random.Generator) -> AIRL:
    return AIRL(given.model, given.shown, config, rng, soft=given.soft)


def _pwil(given: Given, config: PWILConfig, rng: np.random.Generator) -> PWIL:
    if given.soft:
        raise ConfigError(
            "rewards of pwil depend on the steps before in an episode, and this learner draws rows "
            "at random: learn with ppo, or reward what is likely instead (kind: density)"
        )
    return PWIL(given.model.spec, given.model.dist, given.shown, config, rng)


def _density(given: Given, config: DensityConfig, rng: np.random.Generator) -> Density:
    return Density(given.model.spec, given.model.dist, given.shown, config, rng)


def _rnd(given: Given, config: RNDConfig, rng: np.random.Generator) -> RND:
    return RND(given.model.spec, given.model.dist, config, rng)


def _recovered(given: Given, config: RecoveredConfig, rng: np.random.Generator) -> Recovered:
    return Recovered(load_reward(config.folder, given.model), config)


_MAKERS: Mapping[type, Maker] = {
    GAILConfig: _gail,
    AIRLConfig: _airl,
    SQILConfig: _sqil,
    PWILConfig: _pwil,
    DensityConfig: _density,
    RNDConfig: _rnd,
    RecoveredConfig: _recovered,
}
