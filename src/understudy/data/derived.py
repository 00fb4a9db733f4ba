"""Demonstrations made from others: some of the episodes, parts of them, shares.

Nothing is read before it is asked for, so that sets larger than memory can be made smaller.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from understudy.data.catalog import Entry, catalog, numbers_of
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.subsample import PART_OF
from understudy.errors import DemoError

CUT_FROM = "cut_from"
"""Where in `Episode.info` a cut episode says which rows of which length it is."""


class Derived(Sequence[Episode]):
    """Episodes that are made when they are asked for; none is kept.

    Attributes:
        lengths: `[E]` steps of every episode, without making them.
    """

    def __init__(self, lengths: NDArray[np.int64], make: Callable[[int], Episode]) -> None:
        """Args: lengths: `[E]` steps of every episode. make: Makes the one at a place."""
        self.lengths = lengths
        self._make = make

    @property
    def returns(self) -> NDArray[np.float64]:
        """`[E]` sum of rewards of every episode, nan where there are none."""
        return np.array([self[i].return_ for i in range(len(self))], np.float64)

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> Episode: ...

    @overload
    def __getitem__(self, index: slice) -> list[Episode]: ...

    def __getitem__(self, index: int | slice) -> Episode | list[Episode]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._make(range(len(self))[index])


class Chosen(Derived):
    """Some episodes of a set, by the numbers that they had there."""

    def __init__(self, demos: Demos, places: NDArray[np.int64]) -> None:
        """Args: demos: The set. places: `[S]` which of its episodes, in order."""
        super().__init__(demos.lengths[places], lambda i: demos.episodes[int(places[i])])
        self._demos, self._places = demos, places

    @property
    def returns(self) -> NDArray[np.float64]:
        """`[E]` sum of rewards of every episode, nan where there are none."""
        return self._demos.returns[self._places]

    @property
    def numbers(self) -> list[int]:
        """`[E]` what every episode was called by."""
        all_ = numbers_of(self._demos)
        return [all_[int(i)] for i in self._places]

    def entries(self) -> list[Entry]:
        """One for every episode, with its old number."""
        all_ = catalog(self._demos)
        return [all_[int(i)] for i in self._places]


def chosen(demos: Demos, places: NDArray[np.int64]) -> Demos:
    """The episodes at these places."""
    return replace(demos, episodes=Chosen(demos, np.asarray(places, np.int64)))


def labeled(demos: Demos) -> Demos:
    """The same, where every episode that has no label is called `FILE#NUMBER`.

    So whoever sees an episode in a file that was made from others can tell where it came from.
    """
    files = demos.provenance.files
    if len(files) != 1:
        return demos
    name, numbers = os.path.basename(files[0]), numbers_of(demos)

    def make(i: int) -> Episode:
        episode = demos.episodes[i]
        return episode if episode.label else replace(episode, label=f"{name}#{numbers[i]}")

    return replace(demos, episodes=Derived(demos.lengths, make))


def cut(demos: Demos, start: int | None, stop: int | None) -> Demos:
    """The steps `start:stop` of every episode, counted as Python counts slices.

    A part keeps the observation after its last step, too. With the whole's last step it ends as the
    whole did; else it is truncated, for it would have gone on. A part that begins later has no
    seed, because a reset would not lead to it. `info` says what it was cut from. Episodes that have
    no such step are left out.

    Raises:
        DemoError: No episode has such a step.
    """
    lengths = demos.lengths
    spans = [slice(start, stop).indices(int(n))[:2] for n in lengths]
    places = [i for i, (first, last) in enumerate(spans) if last > first]
    if not places:
        longest = int(lengths.max(initial=0))
        rows = f"{'' if start is None else start}:{'' if stop is None else stop}"
        raise DemoError(f"rows {rows}: no episode has such a step; the longest has {longest} steps")

    def make(i: int) -> Episode:
        return part_of(demos.episodes[places[i]], *spans[places[i]])

    kept = np.array([spans[i][1] - spans[i][0] for i in places], np.int64)
    return replace(demos, episodes=Derived(kept, make))


def part_of(episode: Episode, first: int, last: int) -> Episode:
    """The steps `first` to `last - 1` of an episode as an episode of its own."""
    steps = len(episode)
    if (first, last) == (0, steps):
        return episode
    if PART_OF in episode.info:
        raise DemoError(f"{episode.label or 'episode'}: it has been sub-sampled; cut the whole one")
    whole, here = last == steps, slice(first, last)
    before = episode.info.get(CUT_FROM, {"start": 0, "steps": steps})
    cut_from = {"start": before["start"] + first, "steps": before["steps"]}
    return replace(
        episode,
        obs={name: x[first : last + 1] for name, x in episode.obs.items()},
        action=episode.action.at(here),
        proposed=None if episode.proposed is None else episode.proposed.at(here),
        reward=None if episode.reward is None else episode.reward[here],
        end=episode.end if whole else End.TRUNCATED,
        final_obs_known=episode.final_obs_known or not whole,
        acted_by=episode.acted_by[here],
        seed=episode.seed if first == 0 else None,
        info={**episode.info, CUT_FROM: cut_from},
    )


def shares(
    count: int, test: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places to train on and to test on, drawn at random, each in order; neither is empty.

    Args:
        count: How many episodes there are.
        test: The share to test on, in (0, 1).
        rng: Draws.

    Raises:
        DemoError: There are fewer than two episodes.
    """
    if count < 2:
        raise DemoError(f"{count} episode{'s' * (count != 1)} cannot be divided into two sets")
    held = min(max(1, round(test * count)), count - 1)
    order = rng.permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])
