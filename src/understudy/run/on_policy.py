"""Putting a PPO run together: from an environment to a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from understudy.data.demos import Demos
from understudy.envs.env import Env
from understudy.learners.ppo import PPO, PPOConfig
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.rewards.extrinsic import ExtrinsicConfig
from understudy.rewards.signal import RewardSignal
from understudy.run.fresh import Fresh
from understudy.run.keep import KeepConfig
from understudy.run.reinforcement import Reinforcement
from understudy.run.rollouts import only_behavior
from understudy.run.shown import ShownConfig, lean_on
from understudy.run.sought import STREAMS, Given, SignalConfig, num_sought, sought
from understudy.run.watch import Note
from understudy.terms.term import LossTerm


@dataclass(frozen=True, kw_only=True, slots=True)
class OnPolicyConfig:
    """Reinforcement learning by PPO, whole."""

    method: Literal["ppo", "gail", "guided", "airl", "pwil"] = "ppo"
    """How to learn; says what holds where nothing is said, see `understudy.run.methods`."""
    env: str | None = None
    """Gymnasium id of the environment."""
    demos: tuple[str, ...] = ()
    """Files or folders of demonstrations to lean on, see `shown`; none are needed."""
    seed: Annotated[int, Ge(0)] = 0
    """Of everything that is random."""
    steps: Annotated[int, Gt(0)] = 100_000
    """Steps of the environment in all; the last rollout is finished."""
    slots: Annotated[int, Gt(0)] = 8
    """How many environments run side by side."""
    workers: Annotated[int, Ge(0)] | None = None
    """Processes that keep them; 0 for none but this one, None for as many as are faster."""
    rows: Annotated[int, Gt(0)] = 256
    """Rows of a rollout in every slot."""
    net: NetConfig = field(
        default_factory=lambda: NetConfig(hidden=(64, 64), activation="tanh", normalize=False)
    )
    """What policy and critic look like."""
    learner: PPOConfig = field(default_factory=PPOConfig)
    """How they move."""
    extrinsic: ExtrinsicConfig = field(default_factory=ExtrinsicConfig)
    """How the environment's reward counts."""
    signals: dict[str, SignalConfig] = field(default_factory=dict)
    """What else is sought, by name."""
    shown: ShownConfig = field(default_factory=ShownConfig)
    """How demonstrations help, where there are any."""
    average: Annotated[int, Ge(0)] = 0
    """Steps over which the policy's weights are averaged into a second policy, which is kept and
    evaluated beside the last one (`policy-average`); 0 for none."""
    keep: KeepConfig = field(default_factory=lambda: KeepConfig(log_every=1000))
    """What the run writes down."""

    def __post_init__(self) -> None:
        if self.net.memory and self.rows % self.learner.length:
            raise ValueError(
                f"rows={self.rows}: expected a multiple of learner.length={self.learner.length}, "
                "since a memory is trained through windows of that many rows"
            )


def on_policy(
    env: Env,
    config: OnPolicyConfig,
    note: Note,
    *,
    demos: Demos | None = None,
    terms: Mapping[str, LossTerm] | None = None,
    signals: Mapping[str, RewardSignal] | None = None,
) -> Reinforcement:
    """Make everything that a PPO run needs, and reset the environment.

    Args:
        env: Where to act; it has one behavior.
        config: The settings.
        note: Takes lines for the log.
        demos: What was shown, to lean on as `config.shown` says, and for signals that reward
            being like it.
        terms: Further losses of the policy, by name.
        signals: Further rewards, by name; of strength 0 the environment's own is left out beside
            them.

    Raises:
        ConfigError: A signal needs demonstrations and there are none, or cannot look at what is
            seen.
        DemoError: The demonstrations do not fit the environment, or are empty.
    """
    spec = env.behaviors[only_behavior(env)]
    seeds = np.random.SeedSequence(config.seed).spawn(STREAMS)
    for_weights, for_order, for_actions, for_shown = map(np.random.default_rng, seeds)
    heads = num_sought(config, signals)
    model = make_model(spec, Product(spec.action), config.net, for_weights, num_signals=heads)
    losses, shown = dict(terms or {}), None
    if demos is not None:
        shown, cloning = lean_on(demos, model, config.shown, for_shown)
        losses |= cloning
    wanted = sought(config, Given(model, demos, 0.0), signals)
    learner = PPO(model, wanted, losses, config.learner, for_order)
    source = Fresh(env, model, config.rows, for_actions, config.seed)
    return Reinforcement(
        config, model, learner, source, note, flats=[model.flat], heads=heads, shown=shown
    )
