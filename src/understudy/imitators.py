"""Ready-made imitation by acting: in one word, what `understudy learn ENV --with METHOD` does."""

from __future__ import annotations

from pathlib import Path

from understudy.errors import UnderstudyError
from understudy.presets import ActingAgent
from understudy.rewards import airl as rewards
from understudy.run.off_policy import OffPolicyConfig
from understudy.run.on_policy import OnPolicyConfig
from understudy.run.recovered import save_reward


class GAIL(ActingAgent):
    """Generative adversarial imitation by PPO; see `understudy.rewards.gail`.

    Example:
        `agent = GAIL("CartPole-v1", "demos/pole", steps=100_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "gail"
    config: OnPolicyConfig


class AIRL(ActingAgent):
    """Adversarial inverse reinforcement learning by PPO; see `understudy.rewards.airl`.

    Example:
        `agent = AIRL("CartPole-v1", "demos/pole", steps=100_000).learn()` and then
        `agent.save_reward("pole-reward")`, which `signals.recovered.folder` takes.
    """

    method = "airl"
    config: OnPolicyConfig

    def save_reward(self, path: str | Path) -> Path:
        """Write what was recovered; see `understudy.run.recovered.save_reward`.

        Raises:
            UnderstudyError: The agent was loaded: a policy holds no reward.
        """
        found = {} if self.run is None else self.run.learner.signals
        for signal in found.values():
            if isinstance(signal, rewards.AIRL):
                return save_reward(signal, path, self.policy.facts)
        raise UnderstudyError(
            "there is no reward to save: an agent that was loaded holds its policy alone, and what "
            "a run has recovered lies in its folder, under 'rewards'"
        )


class PWIL(ActingAgent):
    """Primal Wasserstein imitation by PPO (Dadashi et al., 2021); see `understudy.rewards.pwil`.

    Example:
        `agent = PWIL("CartPole-v1", "demos/pole", steps=100_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "pwil"
    config: OnPolicyConfig


class DAC(ActingAgent):
    """Adversarial imitation by SAC (Kostrikov et al., 2019); see `understudy.rewards.gail`.

    Example:
        `agent = DAC("Hopper-v5", "demos/hopper", steps=50_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "dac"
    config: OffPolicyConfig


class SQIL(ActingAgent):
    """Soft Q imitation (Reddy et al., 2020); see `understudy.rewards.sqil`.

    Example:
        `agent = SQIL("CartPole-v1", "demos/pole", steps=15_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "sqil"
    config: OffPolicyConfig


class LSIQ(ActingAgent):
    """Least squares inverse Q-learning (Al-Hafez et al., 2023), as far as its recipe says.

    Example:
        `agent = LSIQ("CartPole-v1", "demos/pole", steps=15_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "lsiq"
    config: OffPolicyConfig


class Guided(ActingAgent):
    """The environment's reward, a discriminator's and cloning at once, by PPO.

    Example:
        `agent = Guided("MountainCar-v0", "demos/car", steps=100_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "guided"
    config: OnPolicyConfig


class RLPD(ActingAgent):
    """Reward with demonstrations in half of every batch, by SAC (Ball et al., 2023).

    Example:
        `agent = RLPD("Pendulum-v1", "demos/pendulum", steps=10_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "rlpd"
    config: OffPolicyConfig
