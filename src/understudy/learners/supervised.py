"""Learning from what was shown alone: terms and no reward.

A batch of shown rows comes in, the terms say what is wrong with the policy there, and the policy
takes one step. With `Clone` as the only term this is behavioral cloning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Lt

from understudy.data.batch import Batch
from understudy.learners.learner import Lazy, Metrics
from understudy.nets.flat import F32, Adam
from understudy.nets.model import Model
from understudy.ops.cost import Cost
from understudy.ops.schedule import Shape, scheduled
from understudy.terms.term import LossTerm


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisedConfig:
    """How weights move."""

    learning_rate: Annotated[float, Gt(0)] = 1e-3
    """Step size of AdamW at the start."""
    schedule: Shape = "cosine"
    """How the step size falls to 0 over the run."""
    weight_decay: Annotated[float, Ge(0)] = 1.0
    """What a weight loses of itself per unit of step size."""
    max_grad_norm: Annotated[float, Gt(0)] = 1.0
    """A longer gradient is cut to this length."""
    average: Annotated[float, Ge(0), Lt(1)] = 0.99
    """The policy that is kept is a moving average of the weights that keeps this much of itself per
    update (at the start less: there it is the plain mean); 0 keeps the weights themselves."""


class Supervised:
    """A learner that has terms and no signals. See `Learner`.

    Attributes:
        model: What learns; its own weights are the learning ones.
        terms: What it learns from, by name.
        config: How it moves.
        optimizer: Moves the weights.
        average: `[P]` the weights that are kept: a moving average of the learning ones.
        num_updates: How many so far.
    """

    def __init__(
        self, model: Model, terms: Mapping[str, LossTerm], config: SupervisedConfig
    ) -> None:
        """Args: model: what learns. terms: what it learns from. config: how it moves."""
        self.model, self.terms, self.config = model, terms, config
        self.optimizer = Adam(model.flat, max_norm=config.max_grad_norm, decay=config.weight_decay)
        self.average = model.flat.value.copy()
        self._spare = np.empty_like(self.average)
        self.num_updates = 0

    def update(self, batch: Batch, progress: float) -> Metrics:
        """One step against the gradient of the weighted terms."""
        c = self.config
        costs = {name: term.loss(self.model, batch) for name, term in self.terms.items()}
        total = Cost()
        for name, term in self.terms.items():
            total += term.weight(progress) * costs[name]
        total.backward()
        learning_rate = scheduled(c.learning_rate, c.schedule, progress)
        self.optimizer.step(learning_rate)
        self.num_updates += 1
        self._follow(min(c.average, 1 - 1 / self.num_updates))
        return {
            "loss": Lazy(lambda: total.value),
            "learning_rate": learning_rate,
            **{f"loss/{name}": Lazy(lambda c=cost: c.value) for name, cost in costs.items()},
        }

    def _follow(self, keep: float) -> None:
        if keep == 0:
            np.copyto(self.average, self.model.flat.value)
            return
        np.subtract(self.model.flat.value, self.average, out=self._spare)
        self._spare *= F32(1 - keep)
        self.average += self._spare

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the model has the weights that are kept."""
        value = self.model.flat.value
        learning = value.copy()
        value[:] = self.average
        try:
            yield
        finally:
            value[:] = learning

    def state_dict(self) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.copy(),
            "num_updates": self.num_updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Learner`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average[:] = state["average"]
        self.num_updates = int(state["num_updates"])
