"""Ready-made imitation by acting: in one word, what `understudy learn ENV --with METHOD` does."""

from __future__ import annotations

from understudy.presets import ActingAgent
from understudy.run.off_policy import OffPolicyConfig
from understudy.run.on_policy import OnPolicyConfig


class GAIL(ActingAgent):
    """Generative adversarial imitation by PPO; see `understudy.rewards.gail`.

    Example:
        `agent = GAIL("CartPole-v1", "demos/pole", steps=100_000).learn()` and then
        `agent.predict(obs)`.
    """

    method = "gail"
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
