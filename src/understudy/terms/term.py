"""The contract of a loss that joins any learner."""

from __future__ import annotations

from typing import Protocol

from understudy.data.batch import Batch
from understudy.nets.model import Model
from understudy.ops.cost import Cost


class LossTerm(Protocol):
    """A weighted loss on the policy."""

    def weight(self, progress: float) -> float:
        """How much it counts after a share `progress` in [0, 1] of the run."""
        ...

    def loss(self, model: Model, batch: Batch) -> Cost:
        """The loss on these rows, unweighted."""
        ...
