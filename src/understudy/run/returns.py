"""What the episodes that a policy lives while it learns bring it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from understudy.learners.learner import Metrics
from understudy.ops.statistics import iqm
from understudy.run.loop import Progress
from understudy.run.watch import Note

LAST_EPISODES = 20
"""Finished episodes over which the return of a run is said."""


class Bringing(Protocol):
    """Lives episodes.

    Attributes:
        returns: Sums of rewards of the episodes that ended in the last turn.
    """

    returns: list[float]


class Returns:
    """Notes what the last episodes brought: their interquartile mean. See `Watcher`.

    Attributes:
        last: Returns of the last finished episodes, the newest at the end.
        num_episodes: How many have finished.
        best: The highest `value` of as many episodes as it is said over; None before there were.
        best_step: When that was.
    """

    def __init__(self, source: Bringing, note: Note) -> None:
        """Args: source: where episodes end. note: takes the lines."""
        self.source, self.note = source, note
        self.last: list[float] = []
        self.num_episodes = 0
        self.best: float | None = None
        self.best_step = 0

    @property
    def value(self) -> float | None:
        """The interquartile mean of the last returns; None before an episode has finished."""
        return float(iqm(np.array(self.last))) if self.last else None

    @property
    def gap(self) -> float | None:
        """By how much the run was better at its best than it is now; None before there is a best.

        Of a method that stays where it gets to this is noise; of one that does not it is what a
        user loses who keeps the last weights.
        """
        return None if self.best is None or self.value is None else self.best - self.value

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`."""
        brought = self.source.returns
        if brought:
            self.last = [*self.last, *brought][-LAST_EPISODES:]
            self.num_episodes += len(brought)
            whole = len(self.last) == LAST_EPISODES
            if self.value is not None and whole and (self.best is None or self.value > self.best):
                self.best, self.best_step = self.value, progress.steps
            gap = {} if self.gap is None else {"return/below_best": self.gap}
            line = {"return": self.value, "episodes": self.num_episodes, **gap}
            self.note({"step": progress.steps, **line})

    def state_dict(self) -> dict[str, Any]:
        """The last returns, and the best."""
        return {
            "last": list(self.last),
            "num_episodes": self.num_episodes,
            "best": self.best,
            "best_step": self.best_step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.last = [float(x) for x in state["last"]]
        self.num_episodes = int(state["num_episodes"])
        self.best = None if state["best"] is None else float(state["best"])
        self.best_step = int(state["best_step"])
