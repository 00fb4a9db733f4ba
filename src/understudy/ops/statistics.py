"""What a handful of returns says: interquartile mean and bootstrap interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def iqm(x: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
    """Mean of the middle half (Agarwal et al., 2021, arXiv:2108.13264).

    The quarter at each end is cut exactly: where a quarter is not a whole number of values, the
    values at the cut count in part. So of 5 values the middle 2.5 count.
    """
    x = np.sort(np.moveaxis(np.asarray(x, np.float64), axis, -1), -1)
    n = x.shape[-1]
    ranks = np.arange(n)
    weight = np.clip(np.minimum(ranks + 1, 0.75 * n) - np.maximum(ranks, 0.25 * n), 0, 1)
    return (x * weight).sum(-1) / weight.sum()


def bootstrap_interval(
    x: NDArray[Any], rng: np.random.Generator, level: float = 0.95, draws: int = 2000
) -> tuple[float, float]:
    """Percentile interval of the interquartile mean (Efron, 1979).

    Args:
        x: `[n]` independent returns.
        rng: Draws the resamples.
        level: Coverage in (0, 1).
        draws: How many resamples.
    """
    x = np.asarray(x, np.float64)
    means = iqm(x[rng.integers(0, len(x), (draws, len(x)))])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
