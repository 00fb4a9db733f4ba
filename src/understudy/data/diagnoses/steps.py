"""A bounded sample of steps, each with what came right before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import Episode
from understudy.data.formats.alignment import as_numbers
from understudy.data.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """Steps of several episodes.

    Attributes:
        seen: `[n, F]` what was seen, as numbers; see `as_numbers`.
        before: `[n, F]` what was seen a step earlier; the same where there was nothing earlier.
        action: `[n, ...]` what was meant.
        last: `[n, ...]` what was done a step earlier.
        next: `[n, ...]` what was meant a step later.
        episode: `[n]` which of the episodes that were looked at.
        time: `[n]` how many actions came before.
        inner: `[n]` bool, whether there was a step before and one after.
    """

    seen: NDArray[np.float64]
    before: NDArray[np.float64]
    action: Action
    last: Action
    next: Action
    episode: NDArray[np.int64]
    time: NDArray[np.int64]
    inner: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)

    def at(self, index: NDArray[np.int64]) -> Steps:
        """Only these."""
        return Steps(
            seen=self.seen[index],
            before=self.before[index],
            action=self.action.at(index),
            last=self.last.at(index),
            next=self.next.at(index),
            episode=self.episode[index],
            time=self.time[index],
            inner=self.inner[index],
        )

    @classmethod
    def join(cls, parts: Sequence[Steps], spec: Spec) -> Steps:
        """Those of all episodes, one after the other."""
        if not parts:
            none, nothing = Action.zeros(spec.action, 0), np.zeros(0, np.int64)
            empty = np.zeros((0, 0))
            return cls(
                seen=empty,
                before=empty,
                action=none,
                last=none,
                next=none,
                episode=nothing,
                time=nothing,
                inner=nothing.astype(bool),
            )
        return cls(
            seen=np.concatenate([p.seen for p in parts]),
            before=np.concatenate([p.before for p in parts]),
            action=Action.join([p.action for p in parts]),
            last=Action.join([p.last for p in parts]),
            next=Action.join([p.next for p in parts]),
            episode=np.concatenate([p.episode for p in parts]),
            time=np.concatenate([p.time for p in parts]),
            inner=np.concatenate([p.inner for p in parts]),
        )


def pick_steps(
    spec: Spec, episode: Episode, index: int, share: float, rng: np.random.Generator
) -> Steps | None:
    """About this share of the steps of an episode, at random; None if that is none of them.

    Args:
        spec: What was seen and done.
        episode: The episode.
        index: Its place among those that are looked at.
        share: In (0, 1].
        rng: Draws the steps.
    """
    steps = len(episode)
    time = np.flatnonzero(rng.random(steps) < share) if share < 1 else np.arange(steps)
    if not len(time):
        return None
    earlier, later = np.maximum(time - 1, 0), np.minimum(time + 1, steps - 1)
    # Every row is turned into numbers once, however many steps want it.
    rows, places = np.unique(np.concatenate([time, earlier]), return_inverse=True)
    numbers = as_numbers({name: array[rows] for name, array in episode.obs.items()}, spec)
    return Steps(
        seen=numbers[places[: len(time)]],
        before=numbers[places[len(time) :]],
        action=episode.meant.at(time),
        last=episode.action.at(earlier),
        next=episode.meant.at(later),
        episode=np.full(len(time), index, np.int64),
        time=time,
        inner=(time > 0) & (time < steps - 1),
    )
