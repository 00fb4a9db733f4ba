"""How much to record: which episodes are kept, and when every slot has had enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.run.rollouts import quotas


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a recording is to hold.

    Attributes:
        episodes: How many kept episodes, a fixed number from every slot; None: `steps` alone
            count.
        steps: Every slot begins no further episode once it has kept its share of so many steps;
            the last one of each is recorded to its end.
        min_return: Episodes that bring less are not kept, and lived again with other seeds.
        until_return: The first episode that brings as much is the last of its slot.
        tries: Of every slot in all, kept or not; None: no limit.
    """

    episodes: int | None = None
    steps: int | None = None
    min_return: float | None = None
    until_return: float | None = None
    tries: int | None = None

    def keeps(self, return_: float) -> bool:
        """Whether an episode that brought so much stays in the recording."""
        return self.min_return is None or return_ >= self.min_return


class Ledger:
    """Counts what every slot has recorded.

    What a slot still records depends on its own episodes alone: whoever counts the first episodes
    to finish, from whichever slot, favors short ones.

    Attributes:
        wanted: What the recording is to hold.
        kept: `[slots]` episodes that were kept.
        steps: `[slots]` steps in these.
        tries: `[slots]` episodes that ended, kept or not.
    """

    def __init__(self, wanted: Wanted, slots: int) -> None:
        """Args: wanted: of all slots together. slots: how many there are."""
        self.wanted = wanted
        self.kept, self.steps, self.tries = np.zeros((3, slots), np.int64)
        self._reached = np.zeros(slots, bool)
        most = np.iinfo(np.int64).max
        self._episodes, self._steps = (
            np.full(slots, most) if amount is None else quotas(amount, slots)
            for amount in (wanted.episodes, wanted.steps)
        )

    @property
    def open(self) -> NDArray[np.bool_]:
        """`[slots]` whether a slot goes on to its next episode."""
        going = (self.kept < self._episodes) & (self.steps < self._steps) & ~self._reached
        return going if self.wanted.tries is None else going & (self.tries < self.wanted.tries)

    @property
    def short(self) -> bool:
        """Whether some slot gave up before it had what was wanted."""
        enough = (self.kept >= self._episodes) | (self.steps >= self._steps) | self._reached
        return not bool(enough.all())

    @property
    def discarded(self) -> int:
        """How many episodes ended and were not kept."""
        return int((self.tries - self.kept).sum())

    def count(self, slot: int, length: int, return_: float) -> bool:
        """Take note of an episode that ended.

        Returns:
            Whether it is kept.
        """
        kept = self.wanted.keeps(return_)
        self.tries[slot] += 1
        if kept:
            self.kept[slot] += 1
            self.steps[slot] += length
        goal = self.wanted.until_return
        if kept and goal is not None and return_ >= goal:
            self._reached[slot] = True
        return kept

    def finish(self, slot: int) -> None:
        """A slot has had enough, whatever the numbers say."""
        self._reached[slot] = True
