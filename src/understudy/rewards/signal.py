"""The contract of whatever rewards a learner: the environment, a discriminator, curiosity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, SupportsFloat

from understudy.data.batch import Batch
from understudy.ops.arrays import Array


class RewardSignal(Protocol):
    """Rewards rows, and may learn to do so.

    A learner gives every signal its own value head with the signal's own discount, and adds up the
    advantages by strength.

    Attributes:
        discount: What a reward is worth one step later, in [0, 1].
        strength: How much the signal counts among others.
        ends: Whether its value stops where the task is over. True for rewards of a task. False
            where what comes after counts too: being curious goes on in the next episode (Burda et
            al., 2019, section 2.3, arXiv:1810.12894), and a reward whose sign depends on how long
            one lives needs a state after the end (Kostrikov et al., 2019, arXiv:1809.02925).
    """

    discount: float
    strength: float
    ends: bool

    def reward(self, batch: Batch) -> Array:
        """`[L, B]` float32 rewards of these rows; changes nothing."""
        ...

    def update(self, batch: Batch) -> Mapping[str, SupportsFloat]:
        """Learn from these rows, if the signal learns.

        Returns:
            Numbers for the log.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next reward depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        ...
