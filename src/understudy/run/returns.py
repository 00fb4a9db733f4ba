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
    """

    def __init__(self, source: Bringing, note: Note) -> None:
        """Args: source: where episodes end. note: takes the lines."""
        self.source, self.note = source, note
        self.last: list[float] = []
        self.num_episodes = 0

    @property
    def value(self) -> float | None:
        """The interquartile mean of the last returns; None before an episode has finished."""
        return float(iqm(np.array(self.last))) if self.last else None

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`."""
        brought = self.source.returns
        if brought:
            self.last = [*self.last, *brought][-LAST_EPISODES:]
            self.num_episodes += len(brought)
            line = {"return": self.value, "episodes": self.num_episodes}
            self.note({"step": progress.steps, **line})

    def state_dict(self) -> dict[str, Any]:
        """The last returns."""
        return {"last": list(self.last), "num_episodes": self.num_episodes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.last = [float(x) for x in state["last"]]
        self.num_episodes = int(state["num_episodes"])
