"""A model that acts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import ActedBy, Tree
from understudy.nets.model import Act, Model, start_state

MOST_RUNNERS = 16
"""Sizes of a step that are kept ready."""


class ModelActor:
    """Acts as a model says. See `understudy.data.actor.Actor`."""

    acted_by = ActedBy.POLICY
    proposed: Action | None = None

    def __init__(self, model: Model, rng: np.random.Generator | None = None) -> None:
        """Args: model: who is asked. rng: draws actions; None takes the most likely ones."""
        self.model, self.rng = model, rng
        self._runners: dict[int, Act] = {}
        self._ahead: Iterator[NDArray[Any]] = iter(())

    def draw_ahead(self, moments: int, slots: int) -> None:
        """Draw at once what the next moments need, which takes a fraction of the time.

        What is left of an earlier call is dropped, so only `rng` has to be saved at this point.

        Args:
            moments: How many calls of `act` to be ready for; later ones draw for themselves.
            slots: The most slots that are asked about in one of them.
        """
        if self.rng is not None:
            self._ahead = iter(self.model.dist.noise(self.rng, moments, slots))

    def start(self, slots: int) -> Tree:
        """See `Actor`."""
        return start_state(self.model, slots)

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor`."""
        count = len(fresh)
        if count not in self._runners:
            # Where slots come and go there may be as many counts as slots, each with its buffers.
            if len(self._runners) >= MOST_RUNNERS:
                self._runners.clear()
            self._runners[count] = self.model.actor(count)
        head, state = self._runners[count](obs, state, fresh)
        dist = self.model.dist
        if self.rng is None:
            return dist.mode(head), state
        noise = next(self._ahead, None)
        if noise is None or len(noise) < count:
            noise = dist.noise(self.rng, count)
        return dist.sample(head, noise[:count]), state
