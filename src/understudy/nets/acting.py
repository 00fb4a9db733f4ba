"""A model that acts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import ActedBy, Tree
from understudy.nets.model import Act, Model, start_state


class ModelActor:
    """Acts as a model says. See `understudy.data.actor.Actor`."""

    acted_by = ActedBy.POLICY
    proposed: Action | None = None

    def __init__(self, model: Model, rng: np.random.Generator | None = None) -> None:
        """Args: model: who is asked. rng: draws actions; None takes the most likely ones."""
        self.model, self.rng = model, rng
        self._runners: dict[int, Act] = {}

    def start(self, slots: int) -> Tree:
        """See `Actor`."""
        return start_state(self.model, slots)

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor`."""
        count = len(fresh)
        if count not in self._runners:
            self._runners[count] = self.model.actor(count)
        head, state = self._runners[count](obs, state, fresh)
        dist = self.model.dist
        if self.rng is None:
            return dist.mode(head), state
        return dist.sample(head, dist.noise(self.rng, count)), state
