"""Behavioral cloning: do what was shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from understudy.data.batch import Batch
from understudy.nets.model import Model
from understudy.ops import cloning
from understudy.ops.cost import Cost
from understudy.ops.schedule import Shape, scheduled

LOSSES = {"likelihood": cloning.likelihood, "squared_error": cloning.squared_error}


@dataclass(frozen=True, kw_only=True, slots=True)
class CloneConfig:
    """How closely to do what was shown."""

    loss: Literal["likelihood", "squared_error"] = "squared_error"
    """What is least where continuous actions fit: negative log-likelihood, or squared error, in
    which no single precise dimension drowns the others. Choices always have their likelihood."""
    weight: Annotated[float, Ge(0)] = 1.0
    """How much the term counts at the start."""
    schedule: Shape = "constant"
    """How the weight falls to 0 over the run."""


class Clone:
    """Negative log-likelihood, or squared error, of the actions in the batch. See `LossTerm`."""

    def __init__(self, config: CloneConfig) -> None:
        """Args: config: see `CloneConfig`."""
        self.config = config
        self._loss = LOSSES[config.loss]

    def weight(self, progress: float) -> float:
        """See `LossTerm`."""
        return scheduled(self.config.weight, self.config.schedule, progress)

    def loss(self, model: Model, batch: Batch) -> Cost:
        """See `LossTerm`."""
        head, _ = model.policy(batch.obs, batch.state, batch.fresh)
        return self._loss(model.dist, head, batch.code, batch.share)
