"""Rows that are learned from together: the only thing that signals, terms and learners see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from understudy.data.episode import Tree

Array = Any
"""A numpy array, or a torch tensor: of the kind that the model computes with."""


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """Time-major windows of `L` consecutive rows, `B` of them side by side.

    Without memory `L` is 1 and every window is one row. A source that was asked for what came next
    adds one row of observations, `acted` and `fresh`, so that `obs[1:]` is what followed.

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
    extra: dict[str, Array] = field(default_factory=dict)

    @property
    def share(self) -> Array:
        """`[L, B]` every row's weight, summing to one; rows without an action weigh nothing."""
        acted = self.acted[: len(self.code)]
        return acted / acted.sum()
