"""Observations in the unit that networks like: mean 0, deviation 1. Part of the policy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.nets.flat import F32

LIMIT = F32(10)
"""A normalized number beyond this many deviations is cut."""
# An array without axes is converted once, a number at every call.
_MOST, _LEAST = np.array(LIMIT), np.array(-LIMIT)


class Normalizer:
    """Running mean and deviation of `D` columns (Chan et al., 1983, eq. 2.1 for joining batches).

    A column that has only ever held 0 and 1 (a flag, a one-hot) or never changed is left alone.

    Attributes:
        mean: `[D]` float32, what is subtracted.
        inverse: `[D]` float32, what is multiplied.
    """

    def __init__(self, width: int) -> None:
        """Args: width: `D`. Before the first `update` nothing is changed."""
        self.count = 0.0
        self._mean, self._squares = np.zeros(width), np.zeros(width)
        self._flag = np.ones(width, bool)
        self.mean, self.inverse = np.zeros(width, F32), np.ones(width, F32)
        # Of one observation's shape: between equal shapes numpy is twice as fast.
        self._mean_row, self._inverse_row = self.mean[None], self.inverse[None]

    def update(self, x: NDArray[Any]) -> None:
        """Take in more rows `[..., D]`."""
        x = x.reshape(-1, x.shape[-1]).astype(np.float64)
        if not len(x):
            return
        total = self.count + len(x)
        mean = x.mean(0)
        delta = mean - self._mean
        self._squares += ((x - mean) ** 2).sum(0) + delta**2 * self.count * len(x) / total
        self._mean += delta * len(x) / total
        self._flag &= ((x == 0) | (x == 1)).all(0)
        self.count = total
        self._settle()

    def _settle(self) -> None:
        std = np.sqrt(self._squares / max(self.count, 1))
        constant = std <= 1e-6 * np.maximum(1, np.abs(self._mean))
        self.mean[:] = np.where(self._flag, 0, self._mean)
        self.inverse[:] = np.where(self._flag | constant, 1, 1 / np.where(constant, 1, std))

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[..., n, D]` -> the same in units of deviations. `x` itself is changed."""
        x -= self._mean_row
        x *= self._inverse_row
        np.minimum(x, _MOST, out=x)
        return np.maximum(x, _LEAST, out=x)

    def state_dict(self) -> dict[str, Any]:
        """Counts and moments."""
        return {
            "count": self.count,
            "mean": self._mean.copy(),
            "squares": self._squares.copy(),
            "flag": self._flag.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over counts and moments."""
        self.count = float(state["count"])
        self._mean[:], self._squares[:] = state["mean"], state["squares"]
        self._flag[:] = state["flag"]
        self._settle()
