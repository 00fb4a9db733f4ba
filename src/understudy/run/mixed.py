"""Batches from two places: what was lived, and what was shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from understudy.data.batch import Batch
from understudy.nets.model import Model
from understudy.ops.arrays import Array, module_of
from understudy.run.replay import Windows


class Mixed:
    """Batches with a fixed part from demonstrations. See `Windows`.

    Ball et al. (2023), "Efficient Online Reinforcement Learning with Offline Data", section 4.1,
    arXiv:2302.02948, mix them half and half.
    """

    def __init__(self, lived: Windows, shown: Windows, ratio: float) -> None:
        """Args: lived, shown: what to mix. ratio: share of the second in every batch, in [0, 1]."""
        if not 0 <= ratio <= 1:
            raise ValueError(f"ratio={ratio}: expected a share of the batch in [0, 1]")
        self.lived, self.shown, self.ratio = lived, shown, ratio

    def sample(
        self,
        model: Model,
        rng: np.random.Generator,
        size: int,
        length: int = 1,
        burn_in: int = 0,
        n_step: int = 1,
    ) -> Batch:
        """See `Windows`; demonstrations come last, `shown` is 1 there."""
        count = round(size * self.ratio)
        parts: list[Batch] = []
        for source, part, shown in ((self.lived, size - count, 0), (self.shown, count, 1)):
            if part:
                parts.append(source.sample(model, rng, part, length, burn_in, n_step))
                parts[-1].shown[:] = shown
        return parts[0] if len(parts) == 1 else side_by_side(parts)


def side_by_side(parts: Sequence[Batch]) -> Batch:
    """Batches of windows of the same length as one."""
    one = parts[0]

    def joined(arrays: Sequence[Array], axis: int) -> Array:
        return module_of(arrays[0]).concatenate(arrays, axis)

    def column(name: str) -> Array:
        return joined([getattr(part, name) for part in parts], 1)

    return replace(
        one,
        obs={name: joined([part.obs[name] for part in parts], 1) for name in one.obs},
        code=column("code"),
        acted=column("acted"),
        fresh=column("fresh"),
        reward=column("reward"),
        terminated=column("terminated"),
        shown=joined([part.shown for part in parts], 0),
        state={name: joined([part.state[name] for part in parts], 0) for name in one.state},
    )
