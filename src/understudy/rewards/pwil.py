"""Primal Wasserstein imitation: every step is paired with what was shown, and nobody learns.

Dadashi et al. (2021), "Primal Wasserstein Imitation Learning", arXiv:2006.04678, algorithm 1. All
shown rows together weigh one, and so does an episode of `T` steps. A step gives its `1 / T` to the
nearest shown rows that have weight left, and pays for the way: the greedy coupling bounds the
distance between what was lived and what was shown from above. It earns

    alpha exp(-beta T cost / sqrt(D))

(eq. 6), where `cost` is the weight carried times the distance, `D` the columns of a row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, SupportsFloat

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.spec import Spec
from understudy.data.subsample import wholes
from understudy.nets.flat import F32
from understudy.ops.product import Product
from understudy.rewards.density import squared_distances
from understudy.rewards.steps import compared, lived


@dataclass(frozen=True, kw_only=True, slots=True)
class PWILConfig:
    """How steps are paired with what was shown, and what a pair earns."""

    discount: Annotated[float, Ge(0), Le(1)] = 0.98
    """What a reward is worth one step later."""
    strength: Annotated[float, Ge(0)] = 1.0
    """How much it counts among other signals."""
    alpha: Annotated[float, Gt(0)] = 5.0
    """What a step earns that was shown exactly so."""
    beta: Annotated[float, Gt(0)] = 5.0
    """How fast that falls with the distance."""
    horizon_steps: Annotated[int, Gt(0)] | None = None
    """`T`: after so many steps an episode has been given all that was shown, and later ones earn
    nothing. None for the longest demonstration's length."""
    scale: Annotated[float, Gt(0)] = 0.1
    """What a reward is multiplied with."""
    rows: Annotated[int, Gt(0)] = 2000
    """So many shown rows at most are paired with, at random."""


class PWIL:
    """Being paired with what was shown. See `RewardSignal`.

    A row's reward depends on the steps before it in its episode, so rows must come as they were
    lived: whole rollouts, each beginning where the last one ended. `reward` says what they earn and
    `update`, with the same rows, goes on to where the next ones begin.

    Attributes:
        horizon_steps: `T`.
        left: `[slots, M]` what is left of every shown row's weight in the episode that a slot is
            in; None before anything was lived.
    """

    ends = True

    def __init__(
        self,
        spec: Spec,
        dist: Product,
        demos: Demos,
        config: PWILConfig,
        rng: np.random.Generator,
    ) -> None:
        """Read the demonstrations.

        Args:
            spec: What the policy sees and does.
            dist: Its distribution: the codes of its actions.
            demos: What was shown.
            config: See `PWILConfig`.
            rng: Draws rows, where more are shown than are paired with.

        Raises:
            ConfigError: Something is seen that is no vector.
            DemoError: The demonstrations do not fit, or hold no step.
        """
        self.config = config
        self.discount, self.strength = config.discount, config.strength
        self._see, self._shown = compared(demos, spec, dist, config.rows, rng, done=True)
        longest = max(whole.steps for whole in wholes(demos)[0])
        self.horizon_steps = config.horizon_steps or longest
        self.left: NDArray[np.float64] | None = None

    def reward(self, batch: Batch) -> NDArray[np.float32]:
        """See `RewardSignal`; 0 on rows on which nothing was done."""
        return self._paired(batch)[0]

    def update(self, batch: Batch) -> Mapping[str, SupportsFloat]:
        """Go on to where the next rollout begins; it does not learn. See `RewardSignal`."""
        self.left = self._paired(batch)[1]
        return {}

    def _paired(self, batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """`[L, B]` what these rows earn, and `[B, M]` what is left of what was shown then."""
        c, steps = self.config, lived(batch)
        rows, slots = batch.code.shape[:2]
        acted, fresh = batch.acted[:rows] > 0, batch.fresh[:rows]
        whole = np.full(len(self._shown), 1 / len(self._shown))
        left = np.tile(whole, (slots, 1)) if self.left is None else self.left.copy()
        share = 1 / self.horizon_steps
        seen, cost = self._see(steps.obs, steps.code), np.zeros((rows, slots))
        for slot, mine in enumerate(left):
            distance = np.sqrt(squared_distances(seen[:, slot], self._shown))
            for t in range(rows):
                if fresh[t, slot]:
                    mine[:] = whole
                if acted[t, slot]:
                    cost[t, slot] = coupled(distance[t], mine, share) if mine.any() else np.inf
        worth = c.beta * self.horizon_steps / math.sqrt(self._see.width)
        earned = c.scale * c.alpha * np.exp(-worth * cost)
        return (earned * acted).astype(F32), left

    def state_dict(self) -> dict[str, Any]:
        """Where every slot's episode is."""
        return {"left": None if self.left is None else self.left.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.left = None if state["left"] is None else np.array(state["left"])


def coupled(distance: NDArray[np.float64], left: NDArray[np.float64], share: float) -> float:
    """What it costs to carry `share` to the nearest rows with weight left, which is taken there.

    Dadashi et al. (2021), algorithm 1. Where all that is left is less than `share`, the rest is
    carried nowhere and costs nothing.

    Args:
        distance: `[M]` of every row.
        left: `[M]` its weight, changed.
        share: What is to be carried.
    """
    cost, rest = 0.0, share
    near = np.where(left > 0, distance, np.inf)
    # Sums of shares that should be equal differ in their last bits.
    least = 1e-9 * share
    while rest > least:
        row = int(near.argmin())
        if near[row] == np.inf:
            break
        given = min(left[row], rest)
        cost += given * near[row]
        rest -= given
        left[row] -= given
        if left[row] <= least:
            left[row], near[row] = 0, np.inf
    return cost
