"""Anything that acts: a person, a script, a policy that learns or one that does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import ActedBy, Tree


class Actor(Protocol):
    """Chooses an action for every slot it is shown.

    Attributes:
        acted_by: What to write into a recording about the steps it chose.
        proposed: What it meant by the last `act`, `[n, ...]`, if that is not what it did (somebody
            or something disturbed it on the way); None if it did what it meant.
    """

    acted_by: ActedBy
    proposed: Action | None

    def start(self, slots: int) -> Tree:
        """Memory for `slots` slots: named arrays `[slots, ...]`, `{}` without memory."""
        ...

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """What to do now.

        Args:
            obs: Named arrays `[n, ...]`.
            state: The memory of these slots, `[n, ...]`.
            fresh: `[n]` whether this observation begins an episode (the memory is then forgotten).

        Returns:
            The actions `[n, ...]` in the environment's units, and the memory afterwards; in arrays
            that later calls leave alone.
        """
        ...


class Fixed:
    """An actor without memory made of a function of the observations alone.

    Example:
        `Fixed(lambda obs: Action.zeros(spec.action, len(obs["obs"])))`
    """

    proposed: Action | None = None

    def __init__(
        self, choose: Callable[[Tree], Action], acted_by: ActedBy = ActedBy.SCRIPT
    ) -> None:
        """Args: choose: named arrays `[n, ...]` to actions `[n, ...]`. acted_by: for recordings."""
        self.choose = choose
        self.acted_by = acted_by

    def start(self, slots: int) -> Tree:
        """No memory."""
        return {}

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor.act`."""
        return self.choose(obs), state
