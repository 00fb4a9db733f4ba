"""Soft actor-critic (Haarnoja et al., 2018, arXiv:1812.05905) with one Q head per reward signal.

A batch of remembered rows comes in: windows of rows to learn from, and the rows that followed. The
critics learn what doing what was done is worth; the policy learns to do what they like, as long as
it stays as random as it is asked to be; a temperature for every part of the action sees to that; a
slow copy of the critics follows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from understudy.data.batch import Batch
from understudy.learners.learner import Lazy, Metrics
from understudy.nets.burn_in import burned_in
from understudy.nets.critic import Critics
from understudy.nets.flat import Adam, Flat
from understudy.nets.model import Model
from understudy.nets.parameter import parameter
from understudy.ops.arrays import Array
from understudy.ops.cost import Cost
from understudy.ops.schedule import Shape, scheduled
from understudy.ops.soft import Belief, soft_policy, temperature
from understudy.ops.soft_product import Plan
from understudy.ops.td import n_step_target, soft_value, td_error
from understudy.rewards.signal import RewardSignal
from understudy.rewards.signals import Signals
from understudy.terms.term import LossTerm

_PARTS = "model", "critics", "heat", "policy_adam", "critic_adam", "heat_adam", "signals"


@dataclass(frozen=True, kw_only=True, slots=True)
class SACConfig:
    """How policy, critics and temperatures move."""

    learning_rate: Annotated[float, Gt(0)] = 3e-4
    """Step size of Adam at the start, for all three."""
    schedule: Shape = "constant"
    """How the step size falls to 0 over the run."""
    tau: Annotated[float, Gt(0), Le(1)] = 0.005
    """How far the slow critics follow in one update."""
    pessimism: Annotated[int, Ge(1)] = 2
    """How many critics, drawn anew for every update, say what a target aims at; the least counts
    (Chen et al., 2021, arXiv:2101.05982)."""
    belief: Belief = "least"
    """What the policy believes: the `least` of those critics (Haarnoja et al., 2018), or the `mean`
    of all (Chen et al., 2021; Ball et al., 2023, with ten)."""
    temperature: Annotated[float, Gt(0)] = 1.0
    """What a nat of information costs at the start."""
    heat: Literal["learned", "fixed"] = "learned"
    """Whether that moves, so that `entropy` and `choice_entropy` are kept, or stays."""
    value_limit: Annotated[float, Gt(0)] | None = None
    """How far from 0 what critics aim at may be, where rewards are known to allow no more: their
    largest over one less their discount (Al-Hafez et al., 2023, section 4.2, arXiv:2303.00599)."""
    entropy: float = -1.0
    """Nats that every continuous number shall keep, in code units (uniform: log 2)."""
    choice_entropy: Annotated[float, Ge(0), Le(1)] = 0.2
    """Share of its largest entropy that every branch shall keep."""


class SAC:
    """Learns from remembered rows, many times. See `Learner`."""

    def __init__(
        self,
        model: Model,
        critics: Critics,
        signals: Mapping[str, RewardSignal],
        terms: Mapping[str, LossTerm],
        config: SACConfig,
        rng: np.random.Generator,
    ) -> None:
        """Put the learner together.

        Args:
            model: Who acts.
            critics: What its actions are worth, to every signal.
            signals: What it is rewarded for.
            terms: Further losses of its policy.
            config: How it moves.
            rng: Draws actions and judges; part of this object's state.

        Raises:
            ValueError: No signal counts, or more critics are asked than there are.
        """
        self.model, self.critics, self.terms = model, critics, terms
        self.signals = Signals(signals)
        self.config, self.rng, self.dist = config, rng, critics.dist
        if config.pessimism > critics.num_critics:
            raise ValueError(f"pessimism={config.pessimism} of {critics.num_critics} critics")
        num_parts = len(self.dist.parts)
        self.heat = Flat(num_parts)
        self.log_alpha = parameter(self.heat, "log_temperature", num_parts)
        self.log_alpha.array[:] = np.log(config.temperature)
        self.policy_adam, self.critic_adam = Adam(model.flat), Adam(critics.flat)
        self.heat_adam = Adam(self.heat)

    def update(self, batch: Batch, progress: float) -> Metrics:
        """One step of the critics, the policy and the temperatures; the slow critics follow."""
        model, critics, dist, c = self.model, self.critics, self.dist, self.config
        batch = burned_in(batch, model, critics)
        known, share = batch.known, batch.share
        learning_rate = scheduled(c.learning_rate, c.schedule, progress)
        alpha = np.exp(self.log_alpha.array)
        judges = np.sort(self.rng.permutation(critics.num_critics)[: c.pessimism])

        # One pass over all rows: the known ones are learned on, the later ones are aimed at.
        head, _ = model.policy(batch.obs, batch.state, batch.fresh)
        noise = self.rng.standard_normal((*batch.fresh.shape, dist.num_continuous), np.float32)
        here = head.first(batch.length)
        now = dist.draw(here.array, noise[: batch.length])
        after = dist.draw(head.array[1:], noise[1:])

        critic_loss = self.critic_loss(batch, known, after, judges, alpha)
        figures: dict[str, Any] = {"loss/critic": Lazy(lambda: critic_loss.value)}
        critic_loss.backward()
        self.critic_adam.step(learning_rate, figures)

        asked = judges if c.belief == "least" else np.arange(critics.num_critics)
        said = critics.ask(known, now.action, asked)
        policy_loss = soft_policy(here, now, said, self.signals.strength, alpha, share, c.belief)
        figures["loss/policy"] = Lazy(lambda: policy_loss.value)
        loss = policy_loss
        for term in self.terms.values():
            loss += term.weight(progress) * term.loss(model, known)
        loss.backward()
        self.policy_adam.step(learning_rate, figures)

        if c.heat == "learned":
            target = dist.target(here.array, c.entropy, c.choice_entropy)
            temperature(self.log_alpha, now.information, target, share).backward()
            self.heat_adam.step(learning_rate, figures)
        critics.follow(c.tau)

        figures["entropy"] = Lazy(lambda: -float((share * now.information.sum(-1)).sum()))
        figures["temperature"] = Lazy(lambda: float(alpha.mean()))
        return figures | self.signals.update(batch)

    def critic_loss(
        self, batch: Batch, known: Batch, after: Plan, judges: Array, alpha: Array
    ) -> Cost:
        """Every critic at what was done, towards the rewards that came and the value behind them.

        Rewards are judged when rows are drawn, not when they were lived: a signal that has learned
        since then has changed its mind. A time limit ends no value; the end of the task ends that
        of the signals which say so.
        """
        signals = self.signals
        reward = signals.reward(batch)
        said = self.critics.slow(batch, after.action, judges)
        value = soft_value(said, after, alpha, signals.strength)
        over = batch.terminated[..., None] & signals.ends
        acted = batch.acted[1:] > 0
        target = n_step_target(reward, value, over, acted, signals.discount, batch.n_step)
        if (limit := self.config.value_limit) is not None:
            target = target.clip(-limit, limit)
        action, pick = self.dist.done(known.code)
        return td_error(self.critics(known, action), pick, target, known.share)

    def state_dict(self) -> dict[str, Any]:
        """See `Learner`."""
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        return {**parts, "rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Learner`."""
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.rng.bit_generator.state = state["rng"]
