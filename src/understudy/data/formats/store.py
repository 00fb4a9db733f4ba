"""Files of named arrays that say what they hold before it is read."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.errors import DemoError


class Shaped(NamedTuple):
    """What an array in a file says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def num_bytes(self) -> int:
        """How many bytes its numbers take."""
        return math.prod(self.shape) * self.dtype.itemsize


class Store(Protocol):
    """An open file, or folder, of named arrays.

    Attributes:
        path: The file.
        room: How many bytes its contents may take in memory.
        close: Lets go of it.
    """

    path: str | os.PathLike[str]
    room: int
    close: Callable[[], Any]

    def refusal(self, name: str, found: str, expected: str) -> DemoError:
        """An error about the array `name`."""
        ...

    def shaped(self, name: str, kinds: str = "biuf") -> Shaped:
        """Shape and dtype of an array.

        Raises:
            DemoError: It is missing, of another kind than `kinds`, or too large.
        """
        ...

    def array(
        self, name: str, start: int = 0, stop: int | None = None, *, kinds: str = "biuf"
    ) -> NDArray[Any]:
        """The rows `start` up to `stop` of an array, in this machine's byte order.

        Raises:
            DemoError: As `shaped`, or it is damaged or has fewer rows.
        """
        ...

    def num_rows(self, name: str) -> int:
        """The length of an array's first axis.

        Raises:
            DemoError: It is no array with axes.
        """
        ...
