"""Ready-made imitation by a discriminator: from fresh rollouts, or from all that was lived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from understudy.agent import Agent, changed
from understudy.data.demos import Demos
from understudy.data.spec import Spec
from understudy.envs.env import one
from understudy.presets import acting_env
from understudy.run.adversarial import (
    ImitationConfig,
    OffPolicyImitationConfig,
    OnPolicyImitationConfig,
    imitate,
)
from understudy.run.policy import Policy
from understudy.run.reinforcement import Reinforcement

Shown = Demos | str | Path | Sequence[str | Path]
"""Demonstrations, or where they are."""


class AdversarialAgent(Agent):
    """An agent that learns to be taken for who demonstrated; `GAIL` and `DAC` are such.

    Attributes:
        config_class: The class of its settings.
    """

    config_class: ClassVar[type[ImitationConfig]]
    config: ImitationConfig
    run: Reinforcement | None

    def __init__(
        self,
        env: Any,
        demos: Shown,
        *,
        seed: int | None = None,
        config: ImitationConfig | None = None,
        **changes: Any,
    ) -> None:
        """Make the environment, and be ready to learn.

        Args:
            env: A Gymnasium id or environment, or one of our `Env`s.
            demos: Demonstrations, or where they are; rewards are not needed.
            seed: Of everything random; None: the config's.
            config: All settings; by default the method's.
            changes: `gail`, or single fields of `config.acting` such as `steps=50_000`.

        Raises:
            ConfigError, DemoError, EnvError: Something does not fit; says what and what to do.
        """
        self.config = _settled(config or self.config_class(), env, seed, changes)
        world = acting_env(env, self.config.acting)
        self.log = []
        shown = _loaded(demos, one(world.behaviors))
        self.run = imitate(world, shown, self.config, self.log.append)
        self.policy = self.run.policy()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """See `Agent.load`; of its settings only the network's are known."""
        agent = cls.__new__(cls)
        agent.policy, agent.run, agent.log = Policy.load(path), None, []
        config = cls.config_class()
        acting = changed(config.acting, {"net": agent.policy.net})
        agent.config = changed(config, {"acting": acting})
        return agent


class GAIL(AdversarialAgent):
    """Generative adversarial imitation by PPO; see `understudy.rewards.gail`.

    Example:
        `agent = GAIL("CartPole-v1", "demos/pole", steps=100_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "gail"
    config_class = OnPolicyImitationConfig


class DAC(AdversarialAgent):
    """Adversarial imitation by SAC (Kostrikov et al., 2019); see `understudy.rewards.gail`.

    Example:
        `agent = DAC("Hopper-v5", "demos/hopper", steps=50_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "dac"
    config_class = OffPolicyImitationConfig


def _settled(
    config: ImitationConfig, env: Any, seed: int | None, changes: Mapping[str, Any]
) -> ImitationConfig:
    """The config with `gail` or fields of `acting` replaced, checked."""
    acting = {name: value for name, value in changes.items() if name != "gail"}
    acting |= {"env": env} if isinstance(env, str) else {}
    acting |= {} if seed is None else {"seed": seed}
    signal = {"gail": changes["gail"]} if "gail" in changes else {}
    return changed(config, {"acting": changed(config.acting, acting), **signal})


def _loaded(demos: Shown, spec: Spec) -> Demos:
    if isinstance(demos, Demos):
        return demos
    # Only here: whoever has demonstrations already need not wait for all formats.
    from understudy.data.formats.door import load_demos

    return load_demos(demos, spec=spec)
