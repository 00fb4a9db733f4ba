"""Proximal policy optimization (Schulman et al., 2017, arXiv:1707.06347).

A rollout comes in. Its old values, log-probabilities, rewards and advantages are worked out once,
one value head and one discount for every reward signal; then policy and critic take several epochs
of clipped steps over shuffled minibatches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from understudy.data.batch import Batch, minibatches
from understudy.learners.learner import Metrics
from understudy.nets.flat import Adam
from understudy.nets.model import Model
from understudy.ops.cost import Cost
from understudy.ops.returns import gae, standardized
from understudy.ops.schedule import Shape, scheduled
from understudy.ops.surrogate import surrogate, value_error
from understudy.rewards.signal import RewardSignal
from understudy.rewards.signals import Signals
from understudy.terms.term import LossTerm

_PARTS = "model", "optimizer", "signals"


@dataclass(frozen=True, kw_only=True, slots=True)
class PPOConfig:
    """How policy and critic move."""

    learning_rate: Annotated[float, Gt(0)] = 3e-4
    """Step size of Adam at the start."""
    schedule: Shape = "linear"
    """How the step size falls to 0 over the run."""
    clip_schedule: Shape = "constant"
    """How `clip` falls to 0 over the run."""
    entropy_schedule: Shape = "constant"
    """How `entropy` falls to 0 over the run."""
    epochs: Annotated[int, Gt(0)] = 10
    """How often every row is learned from."""
    minibatch: Annotated[int, Gt(0)] = 64
    """Rows in a minibatch."""
    length: Annotated[int, Gt(0)] = 16
    """Rows that a memory is trained through; 1 is used without memory."""
    clip: Annotated[float, Gt(0)] = 0.2
    """How far the ratio of probabilities may move before nothing more is gained."""
    value_clip: Annotated[float, Gt(0)] | None = None
    """How far values may move; none by default (Andrychowicz et al., 2021, found it harmful)."""
    value_weight: Annotated[float, Ge(0)] = 0.5
    """How much the critic's error counts beside the policy's loss."""
    entropy: Annotated[float, Ge(0)] = 0.0
    """What a nat of entropy is worth."""
    lam: Annotated[float, Ge(0), Le(1)] = 0.95
    """How far errors of the critic are summed into advantages."""
    max_kl: Annotated[float, Gt(0)] | None = None
    """No further epoch once the policy has moved this far, in nats; None for no limit."""
    max_grad_norm: Annotated[float, Gt(0)] = 0.5
    """A longer gradient is cut to this length."""


class PPO:
    """Learns from whole rollouts, once each. See `Learner`."""

    def __init__(
        self,
        model: Model,
        signals: Mapping[str, RewardSignal],
        terms: Mapping[str, LossTerm],
        config: PPOConfig,
        rng: np.random.Generator,
    ) -> None:
        """Put the learner together.

        Args:
            model: Who learns; its critic has a value head for every signal.
            signals: What it is rewarded for.
            terms: Further losses of its policy.
            config: How it moves.
            rng: Shuffles rows; part of this object's state.
        """
        self.model, self.signals, self.terms = model, Signals(signals), terms
        self.config, self.rng = config, rng
        self.length = config.length if model.memory else 1
        self.optimizer = Adam(model.flat, eps=1e-5, max_norm=config.max_grad_norm)

    def update(self, batch: Batch, progress: float) -> Metrics:
        """Several epochs over one rollout, then the signals' own updates."""
        c = self.config
        learning_rate = scheduled(c.learning_rate, c.schedule, progress)
        rollout = self.prepare(batch)
        metrics: Metrics = {}
        for _ in range(c.epochs):
            for rows in minibatches(rollout, self.rng, c.minibatch, self.length, self.model.place):
                loss, metrics = self.loss(rows, progress)
                loss.backward()
                self.optimizer.step(learning_rate, metrics)
            if c.max_kl is not None and float(metrics["kl"]) > c.max_kl:
                break
        # Only now: these rows were lived under the old unit, the next will be under the new one.
        self.model.observe({name: x[batch.acted > 0] for name, x in batch.obs.items()})
        figures = {**metrics, **self.signals.update(batch)}
        return {name: float(figure) for name, figure in figures.items()}

    def prepare(self, batch: Batch) -> Batch:
        """What stays fixed during the epochs: one look at all rows, and what follows from it."""
        head, value, memory = self.model.look(batch.obs, batch.state, batch.fresh)
        log_prob = self.model.dist.score(head[:-1], batch.code)[0]
        acted, over, signals = batch.acted[:-1], batch.terminated, self.signals
        reward, lam = signals.reward(batch), self.config.lam
        advantage = gae(reward, value, over, acted > 0, signals.discount, lam, signals.ends)
        batch.extra["memory"] = memory
        return Batch(
            obs={name: x[:-1] for name, x in batch.obs.items()},
            code=batch.code,
            acted=acted,
            fresh=batch.fresh[:-1],
            state={name: s[:-1] for name, s in memory.items()},
            extra={
                "log_prob": log_prob,
                "value": value[:-1],
                "target": advantage + value[:-1],
                "advantage": advantage @ signals.strength,
            },
        )

    def loss(self, rows: Batch, progress: float) -> tuple[Cost, Metrics]:
        """The clipped surrogate with entropy, the error of every value head, and the terms."""
        c, old = self.config, rows.extra
        head, value, _ = self.model(rows.obs, rows.state, rows.fresh)
        share = rows.share
        policy_loss, figures = surrogate(
            self.model.dist,
            head,
            rows.code,
            old["log_prob"],
            standardized(old["advantage"], share),
            share,
            scheduled(c.clip, c.clip_schedule, progress),
            scheduled(c.entropy, c.entropy_schedule, progress),
        )
        value_loss = value_error(value, old["target"], old["value"], share, c.value_clip)
        loss = policy_loss + c.value_weight * value_loss
        for term in self.terms.values():
            loss += term.weight(progress) * term.loss(self.model, rows)
        losses = {"loss": loss, "loss/policy": policy_loss, "loss/value": value_loss}
        return loss, losses | figures

    def state_dict(self) -> dict[str, Any]:
        """See `Learner`."""
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        return {**parts, "rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Learner`."""
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.rng.bit_generator.state = state["rng"]
