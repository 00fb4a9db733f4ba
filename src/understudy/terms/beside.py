"""A term that looks at batches of its own, beside those that the learner is given."""

from __future__ import annotations

from collections.abc import Callable

from understudy.data.batch import Batch
from understudy.nets.model import Model
from understudy.ops.cost import Cost
from understudy.terms.term import LossTerm


class Beside:
    """Another term on batches from elsewhere. See `LossTerm`.

    `Beside(Clone(config), demonstrations.draw)` does what was shown while the learner's own batches
    hold only what was lived.
    """

    def __init__(self, term: LossTerm, draw: Callable[[], Batch]) -> None:
        """Args: term: what to ask. draw: gives the next batch to ask it of."""
        self.term, self.draw = term, draw

    def weight(self, progress: float) -> float:
        """That of the other term."""
        return self.term.weight(progress)

    def loss(self, model: Model, batch: Batch) -> Cost:
        """The other term's loss on the next batch of its own."""
        return self.term.loss(model, self.draw())
