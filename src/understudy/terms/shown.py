"""A term that looks only at demonstrations, in batches that mix them with what was lived."""

from __future__ import annotations

from dataclasses import replace

from understudy.data.batch import Batch
from understudy.nets.model import Model
from understudy.ops.cost import Cost
from understudy.terms.term import LossTerm


class Shown:
    """Another term on the rows that were shown. See `LossTerm`.

    `Shown(Clone(config))` beside reinforcement learning does what was shown, and does not clone the
    policy's own mistakes.
    """

    def __init__(self, term: LossTerm) -> None:
        """Args: term: what to ask of those rows."""
        self.term = term

    def weight(self, progress: float) -> float:
        """That of the other term."""
        return self.term.weight(progress)

    def loss(self, model: Model, batch: Batch) -> Cost:
        """The other term's loss, each shown row weighing alike; nothing if none was shown.

        Raises:
            ValueError: The batch does not say which rows were shown.
        """
        if batch.shown is None:
            raise ValueError("the batch does not say what was shown: its source mixes nothing in")
        acted = batch.acted * batch.shown
        if not acted.any():
            return Cost()
        return self.term.loss(model, replace(batch, acted=acted))
