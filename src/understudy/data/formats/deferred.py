"""Episodes that stay in a file and are read when they are asked for."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Episode
from understudy.data.formats.refusal import MOST_EPISODES, refusal, too_many_episodes
from understudy.data.formats.store import Store
from understudy.data.spec import Spec

KEPT = 8
SMALL = 64 << 20


class Deferred(Sequence[Episode]):
    """Episodes in a file; the last few that were asked for are kept.

    Attributes:
        lengths: `[E]` steps of every episode, without reading them.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        read: Callable[[int], Episode],
        return_of: Callable[[int], float],
    ) -> None:
        """Episodes of known lengths.

        Args:
            lengths: `[E]` steps of every episode.
            read: Reads and checks an episode.
            return_of: The sum of an episode's rewards, nan where there are none.
        """
        self.lengths = lengths
        self._read, self._return_of = read, return_of
        self._kept: OrderedDict[int, Episode] = OrderedDict()
        self._lock = threading.RLock()
        self._returns: NDArray[np.float64] | None = None

    @property
    def returns(self) -> NDArray[np.float64]:
        """`[E]` sum of rewards of every episode, nan where there are none."""
        with self._lock:
            if self._returns is None:
                all_ = [self._return_of(index) for index in range(len(self))]
                self._returns = np.array(all_, np.float64)
            return self._returns.copy()

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, index: int) -> Episode: ...

    @overload
    def __getitem__(self, index: slice) -> list[Episode]: ...

    def __getitem__(self, index: int | slice) -> Episode | list[Episode]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        with self._lock:
            episode = self._kept.get(place)
            if episode is None:
                self._kept[place] = episode = self._read(place)
            self._kept.move_to_end(place)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return episode


def episodes_of(
    file: Store,
    spec: Spec,
    lengths: NDArray[np.int64],
    read: Callable[[int], Episode],
    return_of: Callable[[int], float],
) -> Sequence[Episode]:
    """The episodes of a file: read at once where they are small, when asked for otherwise.

    Args:
        file: Stays open for as long as episodes are left to be read.
        spec: What is seen and done.
        lengths: `[E]` steps of every episode.
        read: Reads and checks an episode.
        return_of: The sum of an episode's rewards.

    Raises:
        DemoError: There is none, there are too many, or they would take too much memory.
    """
    if not len(lengths):
        raise refusal(file.path, None, "no episode", "demonstrations")
    if len(lengths) > MOST_EPISODES:
        raise too_many_episodes(file.path, len(lengths))
    fields = spec.fields.values()
    row = sum(math.prod(field.shape) * field.dtype.itemsize for field in fields)
    row += 8 * (spec.action.continuous + len(spec.action.branches) + 2)
    total = row * (int(lengths.sum()) + len(lengths))
    if total > file.room:
        found = f"{total} bytes of demonstrations"
        raise refusal(file.path, None, found, f"at most {file.room} from a file of this size")
    deferred = Deferred(lengths, read, return_of)
    if total > SMALL:
        return deferred
    episodes = list(deferred)
    file.close()
    return episodes
