"""Rows that are learned from together: the only thing that signals, terms and learners see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree

Array = Any
"""A numpy array, or a torch tensor: of the kind that the model computes with."""


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """Time-major windows of `L` consecutive rows, `B` of them side by side.

    Without memory `L` is 1 and every window is one row. A source that was asked for what came next
    adds one row of observations, `acted` and `fresh`, so that `obs[1:]` is what followed. One that
    remembers may also add rows at the front that only warm a memory (`burn_in`), and rows at the
    end that only say what came of the rows before (`n_step`).

    Attributes:
        obs: Named arrays `[L, B, ...]`, or `[L+1, B, ...]`.
        code: `[L, B, width]` what was done, as networks see it.
        acted: `[L, B]` float32: 1 where something was done, 0 on an episode's last observation and
            on padding; or `[L+1, B]`.
        fresh: `[L, B]` bool, an episode begins here; or `[L+1, B]`.
        state: The memory before the first row, named arrays `[B, ...]`.
        reward: `[L, B]` float32, the environment's.
        terminated: `[L, B]` bool, the task was over after this row's action.
        shown: `[B]` float32, 1 for demonstrations.
        burn_in: How many rows at the front warm a memory and are not learned from.
        n_step: How many rewards a row's target adds up; so the last `n_step - 1` rows on which is
            known what was done are not learned from either.
        extra: What else a learner has prepared, by name (advantages, old log-probabilities).
    """

    obs: Tree
    code: Array
    acted: Array
    fresh: Array
    state: Tree = field(default_factory=dict)
    reward: Array = None
    terminated: Array = None
    shown: Array = None
    burn_in: int = 0
    n_step: int = 1
    extra: dict[str, Array] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """`L`, rows to learn from; where `burn_in` is not 0, these come after as many others."""
        return len(self.code) - self.burn_in - self.n_step + 1

    @property
    def share(self) -> Array:
        """`[L, B]` every row's weight, summing to one; rows without an action weigh nothing."""
        acted = self.acted[self.burn_in : self.burn_in + self.length]
        return acted / acted.sum()

    @property
    def known(self) -> Batch:
        """The rows to learn from, without those that are only looked at."""
        known = self.rows(0, self.burn_in + self.length)
        known.n_step = 1
        return known

    def rows(self, start: int, stop: int | None = None) -> Batch:
        """Some rows of every window; `state` stays that before the first row of all."""
        part = slice(start, stop)
        later = (self.code, self.reward, self.terminated)
        code, reward, terminated = (x if x is None else x[part] for x in later)
        return replace(
            self,
            obs={name: x[part] for name, x in self.obs.items()},
            code=code,
            acted=self.acted[part],
            fresh=self.fresh[part],
            reward=reward,
            terminated=terminated,
        )


def minibatches(
    rollout: Batch,
    rng: np.random.Generator,
    size: int,
    length: int,
    place: Callable[[Tree], Tree],
) -> Iterator[Batch]:
    """All rows of a rollout once, in windows of `length` rows and random order.

    Windows in which nothing was done are left out.

    Args:
        rollout: Arrays `[T, N, ...]`, numpy; `T` a multiple of `length`. Its `state` is the memory
            before *every* row, `[T, N, ...]`.
        rng: Shuffles.
        size: Rows in a minibatch.
        length: Rows in a window.
        place: Moves trees to where the model computes.
    """
    obs = {name: windows(x, length) for name, x in rollout.obs.items()}
    state = {name: windows(x, length)[0] for name, x in rollout.state.items()}
    extra = {name: windows(x, length) for name, x in rollout.extra.items()}
    code, acted, fresh = (windows(x, length) for x in (rollout.code, rollout.acted, rollout.fresh))
    order = rng.permutation(np.flatnonzero(acted.any(0)))
    count = max(1, size // length)
    for start in range(0, len(order), count):
        ix = order[start : start + count]
        yield Batch(
            obs=place({name: x.take(ix, 1) for name, x in obs.items()}),
            code=code.take(ix, 1),
            acted=acted.take(ix, 1),
            fresh=fresh.take(ix, 1),
            state=place({name: x.take(ix, 0) for name, x in state.items()}),
            extra={name: x.take(ix, 1) for name, x in extra.items()},
        )


def windows(x: NDArray[Any], length: int) -> NDArray[Any]:
    """`[T, N, ...]` as `[length, T / length * N, ...]`: runs of rows side by side.

    A view where `length` is 1.
    """
    rows, slots = x.shape[:2]
    cut = x.reshape(rows // length, length, slots, *x.shape[2:])
    return cut.swapaxes(0, 1).reshape(length, -1, *x.shape[2:])
