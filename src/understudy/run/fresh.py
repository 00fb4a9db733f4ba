"""Experience that is learned from once, as it was made: on-policy rollouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from understudy.data.batch import Batch
from understudy.data.episode import Tree
from understudy.envs.env import Env
from understudy.nets.acting import ModelActor
from understudy.nets.model import Model, start_state
from understudy.run.rollouts import Cast, only_behavior
from understudy.run.store import Store


class Fresh:
    """Lets a model act, and hands over every rollout once. See `Source`.

    Attributes:
        returns: Sum of rewards of the episodes that ended in the last rollout.
    """

    def __init__(
        self, env: Env, model: Model, rows: int, rng: np.random.Generator, seed: int
    ) -> None:
        """Reset the environment.

        Args:
            env: Has one behavior.
            model: Who acts, drawing its actions.
            rows: Rows of a rollout, in every slot.
            rng: Draws actions.
            seed: Of the environment.
        """
        self.env, self.model = env, model
        self.behavior = only_behavior(env)
        slots = env.slots[self.behavior]
        self.store = Store(env.behaviors[self.behavior], rows, slots)
        self.actor = ModelActor(model, rng)
        self.cast = Cast(env, {self.behavior: self.actor})
        self.state: Tree = start_state(model, slots)
        self.returns: list[float] = []
        self._sums = np.zeros(slots)
        self._moments = env.reset(seed)
        self.store.see(self._moments[self.behavior])

    def collect(self) -> int:
        """Act until a slot has no row left.

        Returns:
            How many actions were taken.
        """
        store, name = self.store, self.behavior
        self.returns = []
        while not store.full:
            actions = self.cast.act(self._moments)
            if name in self._moments:
                store.do(self._moments[name].slots, actions[name])
            self._moments = self.env.step(actions)
            if name in self._moments:
                moment = self._moments[name]
                store.see(moment)
                self._sums[moment.slots] += moment.reward
                over = moment.slots[moment.ended]
                self.returns += self._sums[over].tolist()
                self._sums[over] = 0
        return int(store.acted.sum())

    def batches(self) -> Iterator[Batch]:
        """The rollout, and then room for the next; the learner leaves the memory after it."""
        batch = self.store.batch(self.model, self.state)
        yield batch
        self.state = batch.extra.get("state_after", {})
        self.store.roll()

    def state_dict(self) -> dict[str, Any]:
        """Not yet: the environment's own state is not kept.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a run that acts cannot be resumed exactly yet")
