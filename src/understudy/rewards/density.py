"""A reward for rows that are likely among those that were shown. Nobody learns against anybody.

The density of what was shown is estimated by a Gaussian kernel around every shown row (Parzen,
1962, "On estimation of a probability density function and mode"), as wide as makes each shown row
likely by the others (Duin, 1976, "On the choice of smoothing parameters for Parzen estimators of
probability density functions"). Rewarding support instead of a discriminator's opinion is the idea
of Wang et al. (2019), "Random Expert Distillation", arXiv:1905.06750, who learn the support with a
network; among few rows kernels need no learning and can be worked out by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, SupportsFloat

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.spec import Spec
from understudy.nets.flat import F32
from understudy.ops.product import Product
from understudy.rewards.steps import compared, lived

WIDTHS = tuple(2.0 ** (k / 2) for k in range(-10, 5))
"""Kernel widths that are tried: 0.03 to 4 deviations."""
_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class DensityConfig:
    """How rows are rewarded for being likely."""

    discount: Annotated[float, Ge(0), Le(1)] = 0.98
    """What a reward is worth one step later."""
    strength: Annotated[float, Ge(0)] = 1.0
    """How much it counts among other signals."""
    reward: Literal["density", "log_density"] = "density"
    """What a row earns beside the median shown row, which earns most: the ratio of densities, in
    (0, 1], so that whoever lives on earns more; or its logarithm, never positive, so that whoever
    is done earlier loses less."""
    sees: Literal["actions", "states"] = "actions"
    """What a row is compared by: what was seen and done, or what was seen alone."""
    width: Annotated[float, Gt(0)] | None = None
    """Of a kernel, in deviations of what was shown; None for that which makes each shown row
    likeliest by the others."""
    limit: Annotated[float, Gt(0)] = 10.0
    """A logarithm below minus this counts as that."""
    scale: Annotated[float, Gt(0)] = 0.1
    """What a reward is multiplied with."""
    rows: Annotated[int, Gt(1)] = 2000
    """So many shown rows at most are compared with, at random."""


class Density:
    """Being likely among what was shown. See `RewardSignal`.

    Attributes:
        width: Of a kernel.
        level: Log density of the median shown row by the others, but for a constant.
    """

    ends = True

    def __init__(
        self,
        spec: Spec,
        dist: Product,
        demos: Demos,
        config: DensityConfig,
        rng: np.random.Generator,
    ) -> None:
        """Read the demonstrations.

        Args:
            spec: What the policy sees and does.
            dist: Its distribution: the codes of its actions.
            demos: What was shown.
            config: See `DensityConfig`.
            rng: Draws rows, where more are shown than are compared with.

        Raises:
            ConfigError: Something is seen that is no vector.
            DemoError: The demonstrations do not fit, or hold no step.
        """
        self.config = config
        self.discount, self.strength = config.discount, config.strength
        done = config.sees == "actions"
        self._see, self._shown = compared(demos, spec, dist, config.rows, rng, done=done)
        among = squared_distances(self._shown, self._shown)
        # A row says nothing of itself; a single one is all there is to be like.
        np.fill_diagonal(among, np.inf if len(among) > 1 else 0)
        tried = WIDTHS if config.width is None else (config.width,)
        levels = [log_density(among, width, self._see.width) for width in tried]
        best = int(np.argmax([level.mean() for level in levels]))
        self.width, self.level = tried[best], float(np.median(levels[best]))

    def reward(self, batch: Batch) -> NDArray[np.float32]:
        """See `RewardSignal`; 0 on rows on which nothing was done."""
        c, steps = self.config, lived(batch)
        rows = self._see(steps.obs, steps.code).reshape(-1, self._see.width)
        parts = [
            log_density(squared_distances(part, self._shown), self.width, self._see.width)
            for part in np.split(rows, range(_AT_ONCE, len(rows), _AT_ONCE))
        ]
        likely = (np.concatenate(parts) - self.level).clip(-c.limit, 0)
        earned = np.exp(likely) if c.reward == "density" else likely
        acted = batch.acted[: len(batch.code)] > 0
        return (c.scale * earned.reshape(acted.shape) * acted).astype(F32)

    def update(self, batch: Batch) -> Mapping[str, SupportsFloat]:
        """It does not learn."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """It has no memory: everything follows from the demonstrations and the seed."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """It has no memory."""


def squared_distances(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """`[N, M]` of rows `[N, D]` from rows `[M, D]`."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    squares = (x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * x @ y.T
    return np.maximum(squares, 0)


def log_density(squares: NDArray[np.float64], width: float, columns: int) -> NDArray[np.float64]:
    """`[N]` log of the mean of Gaussian kernels at these squared distances `[N, M]`.

    Rows may lie infinitely far from some of the others, which then do not count among them.
    """
    counted = np.isfinite(squares).sum(1)
    exponent = -squares / (2 * width * width)
    most = exponent.max(1, initial=-np.inf)
    total = np.log(np.exp(exponent - most[:, None]).sum(1)) + most - np.log(counted)
    return total - columns * math.log(width * math.sqrt(2 * math.pi))
