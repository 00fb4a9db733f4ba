"""Random network distillation: curiosity for what was not seen often.

Burda et al. (2019), "Exploration by Random Network Distillation", arXiv:1810.12894. A network is
drawn and never changed; another learns to say of every observation what the first one does. Where
it is wrong it has seen little that is alike, and its error is what a step there earns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, SupportsFloat

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from understudy.data.batch import Batch
from understudy.data.spec import Spec
from understudy.nets.dense import Activation, Dense
from understudy.nets.flat import F32, Adam, Flat
from understudy.nets.row_vectors import RowVectors
from understudy.ops.cost import Cost, Out
from understudy.ops.product import Product
from understudy.rewards.steps import lived, own


@dataclass(frozen=True, kw_only=True, slots=True)
class RNDConfig:
    """How a policy is rewarded for seeing what it has not seen often."""

    discount: Annotated[float, Ge(0), Le(1)] = 0.99
    """What a reward is worth one step later."""
    strength: Annotated[float, Ge(0)] = 0.1
    """How much it counts among other signals; a step earns about 1 at first."""
    hidden: tuple[Annotated[int, Gt(0)], ...] = (64, 64)
    """Widths of the hidden layers of both networks."""
    activation: Activation = "relu"
    """Between layers: `relu` or `tanh`."""
    features: Annotated[int, Gt(0)] = 32
    """How many numbers are said of an observation."""
    learning_rate: Annotated[float, Gt(0)] = 1e-4
    """Step size of Adam."""
    updates: Annotated[int, Gt(0)] = 1
    """Steps for every batch that the learner learns from; a rollout wants more than a small batch
    of remembered rows."""
    batch_size: Annotated[int, Gt(0)] = 256
    """Rows in a step, where the learner's batch has so many."""
    limit: Annotated[float, Gt(0)] = 10.0
    """No step earns more, before `strength`."""


class RND:
    """Being surprised. See `RewardSignal`.

    Value flows through the ends of episodes (section 2.3): who is curious does not fear an end
    unless what comes after is dull. Nothing is earned before the first update.

    Note:
        The paper divides rewards by the deviation of their discounted sums, which needs rows in the
        order in which they were lived. Here they are divided by the mean of the errors that were
        met so far, which serves rollouts and remembered rows alike; the first rows earn 1 on
        average, and less as they become known.

    Attributes:
        count, total: How many errors were met, and their sum.
    """

    ends = False

    def __init__(
        self, spec: Spec, dist: Product, config: RNDConfig, rng: np.random.Generator
    ) -> None:
        """Draw both networks.

        Args:
            spec: What is seen.
            dist: The policy's distribution.
            config: See `RNDConfig`.
            rng: Draws weights and rows; part of this object's state.

        Raises:
            ConfigError: Something is seen that is no vector.
        """
        self.config, self.rng = config, rng
        self.discount, self.strength = config.discount, config.strength
        self._see = RowVectors(spec, dist, done=False)
        sizes = (self._see.width, *config.hidden, config.features)
        self.target_flat, self.flat = Flat(Dense.count(sizes)), Flat(Dense.count(sizes))
        self._target, self._predictor = (
            Dense(sizes, flat, rng, name=name, activation=config.activation)
            for flat, name in ((self.target_flat, "target"), (self.flat, "predictor"))
        )
        self.adam = Adam(self.flat)
        self.count, self.total = 0, 0.0

    def reward(self, batch: Batch) -> NDArray[np.float32]:
        """See `RewardSignal`; 0 on rows on which nothing was done."""
        acted = batch.acted[: len(batch.code)] > 0
        if not self.total > 0:
            return np.zeros(acted.shape, F32)
        steps = lived(batch)
        squares, _ = self._error(self._see(steps.after, steps.code))
        relative = squares.mean(-1) * F32(self.count / self.total)
        return relative.clip(0, self.config.limit) * acted

    def _error(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[Out, Any]]:
        """`[..., features]` squared errors of rows `[..., D]`; what was said, and how far off."""
        said = self._predictor(x)
        off = said.array - self._target(x).array
        return off * off, (said, off)

    def update(self, batch: Batch) -> Mapping[str, SupportsFloat]:
        """Some steps of the predictor on what the policy itself has come to see."""
        c, steps = self.config, lived(batch).at(own(batch))
        if not steps.rows:
            return {}
        self._see.observe(steps.after)
        met = self._see(steps.after, steps.code)
        errors = self._error(met)[0].mean(-1)
        self.count, self.total = self.count + len(met), self.total + float(errors.sum())
        loss = Cost()
        for _ in range(c.updates):
            some = met
            if c.batch_size < len(met):
                some = met[self.rng.permutation(len(met))[: c.batch_size]]
            loss = self._step(some)
        return {"loss": loss, "error": float(errors.mean())}

    def _step(self, x: NDArray[np.float32]) -> Cost:
        squares, (said, off) = self._error(x)
        loss = Cost(lambda: float(squares.mean()), [(said, off * F32(2 / off.size))])
        loss.backward()
        self.adam.step(self.config.learning_rate, {"loss": loss})
        return loss

    def state_dict(self) -> dict[str, Any]:
        """See `RewardSignal`."""
        return {
            "target": self.target_flat.state_dict(),
            "predictor": self.flat.state_dict(),
            "adam": self.adam.state_dict(),
            "measured": self._see.state_dict(),
            "count": self.count,
            "total": self.total,
            "rng": self.rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `RewardSignal`."""
        self.target_flat.load_state_dict(state["target"])
        self.flat.load_state_dict(state["predictor"])
        self.adam.load_state_dict(state["adam"])
        self._see.load_state_dict(state["measured"])
        self.count, self.total = int(state["count"]), float(state["total"])
        self.rng.bit_generator.state = state["rng"]
