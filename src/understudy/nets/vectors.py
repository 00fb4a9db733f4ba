"""All vectors of an observation side by side, in the unit that networks like."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.nets.flat import F32
from understudy.nets.normalizer import Normalizer


class Vectors:
    """What networks in numpy see.

    Attributes:
        width: `D`, at least 1: where nothing but a mask is seen a zero is seen, since layers need a
            column.
        normalizer: Measures the columns; None where it was not asked for or nothing is seen.
    """

    def __init__(self, spec: Spec, normalize: bool) -> None:
        """Args: spec: what is seen; only its vectors count. normalize: whether to measure them."""
        self._sizes = [(n, o.size) for n, o in spec.obs.items() if o.kind == "vector" and o.size]
        self.width = sum(size for _, size in self._sizes) or 1
        self.normalizer = Normalizer(self.width) if normalize and self._sizes else None

    def __call__(self, obs: Tree, lead: tuple[int, ...]) -> NDArray[np.float32]:
        """`[*lead, D]` normalized; an array of its own."""
        x = self._joined(obs, lead, F32)
        return x if self.normalizer is None else self.normalizer(x)

    def _joined(self, obs: Tree, lead: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        if len(self._sizes) == 1:
            (name, size), *_ = self._sizes
            return obs[name].reshape(*lead, size).astype(dtype)
        if not self._sizes:
            return np.zeros((*lead, 1), dtype)
        rows = [obs[name].reshape(*lead, size) for name, size in self._sizes]
        return np.concatenate(rows, -1, dtype=dtype)

    def runner(self, slots: int) -> Callable[[Tree], NDArray[np.float32]]:
        """The same for `[slots, ...]`, reusing its memory from call to call."""
        normalizer, x = self.normalizer, np.zeros((slots, self.width), F32)
        ends = np.cumsum([0, *(size for _, size in self._sizes)]).tolist()
        places = [
            (name, x[:, a:b]) for (name, _), (a, b) in zip(self._sizes, pairwise(ends), strict=True)
        ]

        def see(obs: Tree) -> NDArray[np.float32]:
            for name, place in places:
                place[...] = obs[name].reshape(place.shape)
            return x if normalizer is None else normalizer(x)

        return see

    def observe(self, obs: Tree) -> None:
        """Let the normalizer take in these observations `[..., ...]`."""
        if self.normalizer is not None:
            # Observations of any number of leading axes: a row is one observation of every name.
            self.normalizer.update(self._joined(obs, (-1,), np.float64))
