"""An average of a policy's weights on the way: steadier than the last ones of a run that swings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from understudy.learners.learner import Metrics
from understudy.nets.flat import F32, Flat
from understudy.run.loop import Progress


class Average:
    """Follows weights exponentially (Polyak and Juditsky, 1992). See `Watcher`.

    Attributes:
        weights: `[P]` the average.
    """

    def __init__(self, flat: Flat, horizon: int) -> None:
        """Args: flat: what to follow. horizon: after so many steps weights count for 1/e."""
        self.flat, self.horizon = flat, horizon
        self.weights = flat.value.copy()
        self._spare = np.empty_like(self.weights)
        self._steps = 0

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`."""
        passed, self._steps = progress.steps - self._steps, progress.steps
        np.subtract(self.flat.value, self.weights, out=self._spare)
        self._spare *= F32(-math.expm1(-passed / self.horizon))
        self.weights += self._spare

    @contextmanager
    def used(self) -> Iterator[None]:
        """Inside, the model has the average as its weights."""
        learning = self.flat.value.copy()
        self.flat.value[:] = self.weights
        try:
            yield
        finally:
            self.flat.value[:] = learning

    def state_dict(self) -> dict[str, Any]:
        """The average, and when it last looked."""
        return {"weights": self.weights.copy(), "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.weights[:] = state["weights"]
        self._steps = int(state["steps"])
