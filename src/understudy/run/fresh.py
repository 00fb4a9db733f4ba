"""Experience that is learned from once, as it was made: on-policy rollouts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from understudy.data.batch import Batch
from understudy.data.episode import Tree
from understudy.envs.env import Env
from understudy.nets.acting import ModelActor
from understudy.nets.model import Model, start_state
from understudy.run.rollouts import Cast, Tally, only_behavior
from understudy.run.store import Store


class Fresh:
    """Lets a model act, and hands over every rollout once. See `Source`.

    Attributes:
        returns: Sum of rewards of the episodes that ended in the last rollout.
        note: Nothing; it is resumed exactly.
    """

    note: str | None = None

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
        self.rng = rng
        self.actor = ModelActor(model, rng)
        self.cast = Cast(env, {self.behavior: self.actor})
        self.state: Tree = start_state(model, slots)
        self.returns: list[float] = []
        self._tally = Tally(slots)
        self._batch: Batch | None = None
        self._moments = env.reset(seed)
        self.store.see(self._moments[self.behavior])

    def collect(self) -> int:
        """Act until a slot has no row left.

        Returns:
            How many actions were taken of which is known what came of them.
        """
        self._turn_over()
        store, name = self.store, self.behavior
        self.actor.draw_ahead(store.rows, store.slots)
        while not store.full:
            actions = self.cast.act(self._moments)
            if name in self._moments:
                store.do(self._moments[name].slots, actions[name])
            self._moments = self.env.step(actions)
            if name in self._moments:
                store.see(self._moments[name])
        known = store.known
        ended = store.terminated | store.truncated
        self.returns = self._tally.hear_rows(store.reward, ended, known)
        return int((store.acted & known).sum())

    def batches(self) -> Iterator[Batch]:
        """The rollout; the learner leaves in `extra["memory"]` the memory before every row."""
        self._batch = self.store.batch(self.model, self.state)
        yield self._batch

    def _turn_over(self) -> None:
        """Make room for the next rollout, if the last one has been handed over."""
        if self._batch is not None:
            # Slots that speak at their own pace have their newest rows at different places.
            newest = self.store.at, np.arange(self.store.slots)
            memory = self._batch.extra.get("memory", {})
            self.state = {name: np.asarray(s)[newest] for name, s in memory.items()}
            self.store.roll()
            self._batch = None

    def keep_in(self, folder: Path, checkpoints: Path) -> None:
        """A rollout is small: every checkpoint holds it."""

    def state_dict(self) -> dict[str, Any]:
        """See `Source`; of the environment what it needs to get there again."""
        self._turn_over()
        return {
            "env": self.env.state_dict(),
            "store": self.store.state_dict(),
            "cast": self.cast.state_dict(),
            "state": {name: np.array(x) for name, x in self.state.items()},
            "rng": self.rng.bit_generator.state,
            "tally": self._tally.state_dict(),
            "returns": list(self.returns),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Source`.

        Raises:
            EnvError: The environment does not come to the same place.
        """
        self.env.load_state_dict(state["env"])
        self._moments = self.env.moments
        self.store.load_state_dict(state["store"])
        self.cast.load_state_dict(state["cast"])
        self.state = {name: np.array(x) for name, x in state["state"].items()}
        self.rng.bit_generator.state = state["rng"]
        self._tally.load_state_dict(state["tally"])
        self.returns = list(state["returns"])
