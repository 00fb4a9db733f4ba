"""Rewards of one dtype, for layouts in which all episodes share a column of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import Episode
from understudy.errors import DemoError


class OneReward:
    """The rewards of all episodes in the dtype of the first that has some.

    Episodes that lie on the disk are read one by one; to ask all of them first would be to read
    them twice.

    Attributes:
        dtype: Theirs; None if no episode has rewards.
        complete: Whether all have them.
        lost: What is left out where rewards are written only if all have them, in words.
    """

    def __init__(self, demos: Demos) -> None:
        rewarded = np.flatnonzero(~np.isnan(demos.returns))
        self.complete = len(rewarded) == len(demos)
        mixed = 0 < len(rewarded) < len(demos)
        self.lost = {"rewards, which not all episodes have"} if mixed else set[str]()
        self.dtype: np.dtype[Any] | None = None
        if len(rewarded):
            first = demos.episodes[int(rewarded[0])].reward
            assert first is not None, "an episode with a return has rewards"
            self.dtype = first.dtype

    def of(self, episode: Episode, lost: set[str]) -> NDArray[Any] | None:
        """`[T]` the rewards of an episode; None if it has none.

        Args:
            episode: The episode.
            lost: Where a wider dtype is noted.

        Raises:
            DemoError: The dtype does not hold them exactly.
        """
        if episode.reward is None or episode.reward.dtype == self.dtype:
            return episode.reward
        assert self.dtype is not None, "this episode has rewards"
        with np.errstate(over="ignore"):
            rewards = episode.reward.astype(self.dtype)
        if not np.array_equal(rewards, episode.reward):
            raise DemoError(
                f"{episode.label or 'an episode'}: rewards of {episode.reward.dtype}, which "
                f"{self.dtype}, the dtype of those before, does not hold; the layout has one for "
                "all: write it as understudy or Minari"
            )
        lost.add(f"dtypes of rewards: all become {self.dtype}")
        return rewards
