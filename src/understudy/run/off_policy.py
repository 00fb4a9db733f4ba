"""Putting a SAC run together: from an environment to a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from understudy.data.demos import Demos
from understudy.envs.env import Env
from understudy.learners.sac import SAC, SACConfig
from understudy.nets.critic import CriticConfig, make_critics
from understudy.nets.model import NetConfig, make_model
from understudy.ops.soft_product import SoftProduct
from understudy.rewards.extrinsic import ExtrinsicConfig
from understudy.rewards.signal import RewardSignal
from understudy.run.keep import KeepConfig
from understudy.run.practice import Practice, PracticeConfig
from understudy.run.reinforcement import Reinforcement
from understudy.run.replay import replay_of
from understudy.run.rollouts import only_behavior
from understudy.run.shown import ShownConfig, lean_on
from understudy.run.sought import STREAMS, Given, SignalConfig, num_sought, sought
from understudy.run.watch import Note
from understudy.terms.clone import CloneConfig
from understudy.terms.term import LossTerm


@dataclass(frozen=True, kw_only=True, slots=True)
class OffPolicyConfig:
    """Reinforcement learning by SAC, whole."""

    method: Literal["sac", "dac", "sqil", "lsiq", "rlpd"] = "sac"
    """How to learn; says what holds where nothing is said, see `understudy.run.methods`."""
    env: str | None = None
    """Gymnasium id of the environment."""
    demos: tuple[str, ...] = ()
    """Files or folders of demonstrations to lean on: they fill `practice.demo_ratio` of every
    batch, and see `shown`; none are needed."""
    seed: Annotated[int, Ge(0)] = 0
    """Of everything that is random."""
    steps: Annotated[int, Gt(0)] = 50_000
    """Steps of the environment in all."""
    slots: Annotated[int, Gt(0)] = 1
    """How many environments run side by side."""
    workers: Annotated[int, Ge(0)] | None = None
    """Processes that keep them; 0 for none but this one, None for as many as are faster."""
    net: NetConfig = field(default_factory=lambda: NetConfig(hidden=(256, 256), normalize=False))
    """What the policy looks like."""
    critic: CriticConfig = field(default_factory=CriticConfig)
    """What the critics look like."""
    learner: SACConfig = field(default_factory=SACConfig)
    """How they move."""
    practice: PracticeConfig = field(default_factory=PracticeConfig)
    """What is remembered, and how often it is learned from."""
    extrinsic: ExtrinsicConfig = field(default_factory=ExtrinsicConfig)
    """How the environment's reward counts."""
    signals: dict[str, SignalConfig] = field(default_factory=dict)
    """What else is sought, by name."""
    shown: ShownConfig = field(default_factory=lambda: ShownConfig(clone=CloneConfig(weight=0)))
    """How demonstrations help beside being remembered, where there are any."""
    average: Annotated[int, Ge(0)] = 0
    """Steps over which the policy's weights are averaged into a second policy, which is kept and
    evaluated beside the last one (`policy-average`); 0 for none."""
    keep: KeepConfig = field(default_factory=lambda: KeepConfig(log_every=1000))
    """What the run writes down."""

    def __post_init__(self) -> None:
        asked, there = self.learner.pessimism, self.critic.num_critics
        if asked > there:
            raise ValueError(
                f"learner.pessimism={asked}: expected no more than critic.num_critics={there}"
            )


def off_policy(
    env: Env,
    config: OffPolicyConfig,
    note: Note,
    *,
    demos: Demos | None = None,
    terms: Mapping[str, LossTerm] | None = None,
    signals: Mapping[str, RewardSignal] | None = None,
) -> Reinforcement:
    """Make everything that a SAC run needs, and reset the environment.

    Args:
        env: Where to act; it has one behavior.
        config: The settings.
        note: Takes lines for the log.
        demos: What was shown, mixed into every batch and as `config.shown` says, and for signals
            that reward being like it.
        terms: Further losses of the policy, by name.
        signals: Further rewards, by name; of strength 0 the environment's own is left out beside
            them.

    Raises:
        ConfigError: A signal needs demonstrations and there are none, or cannot look at what is
            seen.
        DemoError: The demonstrations do not fit the environment, are empty, or have no rewards.
    """
    spec = env.behaviors[only_behavior(env)]
    seeds = np.random.SeedSequence(config.seed).spawn(STREAMS)
    for_weights, for_draws, for_actions, for_shown = map(np.random.default_rng, seeds)
    model = make_model(spec, SoftProduct(spec.action), config.net, for_weights)
    heads = num_sought(config, signals)
    critics = make_critics(model, config.critic, for_weights, num_signals=heads)
    given = Given(model, demos, config.practice.demo_ratio, soft=True)
    wanted = sought(config, given, signals)
    losses, shown, remembered = dict(terms or {}), None, None
    if demos is not None:
        shown, cloning = lean_on(demos, model, config.shown, for_shown)
        losses |= cloning
        if config.practice.demo_ratio:
            remembered = replay_of(demos, unrewarded="extrinsic" not in wanted)
    learner = SAC(model, critics, wanted, losses, config.learner, for_draws)
    source = Practice(env, model, config.practice, for_actions, config.seed, remembered)
    flats = [model.flat, critics.flat]
    return Reinforcement(config, model, learner, source, note, flats=flats, heads=0, shown=shown)
