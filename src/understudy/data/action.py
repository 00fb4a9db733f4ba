"""An action: continuous numbers and one choice from every branch, either part may be zero wide."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.data.spec import ActionSpec


class Action(NamedTuple):
    """What is done.

    Attributes:
        continuous: `[..., C]` in the units of the environment.
        discrete: `[..., K]` int64, the index of the choice in every branch.
    """

    continuous: NDArray[Any]
    discrete: NDArray[np.int64]

    @classmethod
    def zeros(cls, spec: ActionSpec, *lead: int) -> Action:
        """Room for `lead` actions, all zero."""
        return cls(
            np.zeros((*lead, spec.continuous), spec.dtype),
            np.zeros((*lead, len(spec.branches)), np.int64),
        )

    def within(self, spec: ActionSpec) -> Action:
        """The same actions as environments execute them: inside the bounds, of the dtype."""
        if not spec.continuous:
            return self
        low, high = (np.array(bound, spec.dtype) for bound in (spec.low, spec.high))
        clipped = np.clip(self.continuous, low, high)
        return Action(clipped.astype(spec.dtype, copy=False), self.discrete)

    def at(self, index: Any) -> Action:
        """The actions at this index of the leading axes."""
        return Action(self.continuous[index], self.discrete[index])

    @classmethod
    def stack(cls, actions: list[Action]) -> Action:
        """One leading axis over several actions."""
        return cls(
            np.stack([a.continuous for a in actions]), np.stack([a.discrete for a in actions])
        )

    @classmethod
    def join(cls, actions: list[Action]) -> Action:
        """Several runs of actions, one after the other."""
        return cls(
            np.concatenate([a.continuous for a in actions]),
            np.concatenate([a.discrete for a in actions]),
        )
