"""A reward for what was shown and none for what was lived: soft Q imitation.

Reddy et al. (2020), "SQIL: imitation learning via reinforcement learning with sparse rewards",
arXiv:1905.11108, section 3: shown rows earn 1, lived rows 0, half of every batch is shown, and that
is all. The value that flows back from what was shown draws the policy to where it was shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, SupportsFloat

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from understudy.data.batch import Batch
from understudy.nets.flat import F32


@dataclass(frozen=True, kw_only=True, slots=True)
class SQILConfig:
    """How rows are rewarded for where they come from."""

    discount: Annotated[float, Ge(0), Le(1)] = 0.98
    """What a reward is worth one step later."""
    strength: Annotated[float, Ge(0)] = 1.0
    """How much it counts among other signals."""
    shown: float = 0.1
    """What a shown row earns."""
    lived: float = 0.0
    """What a row of the policy's own earns."""
    ends: bool = True
    """Whether value stops where the task is over."""


class SQIL:
    """What was shown is good. See `RewardSignal`; its batches say which rows were shown."""

    def __init__(self, config: SQILConfig) -> None:
        """Args: config: See `SQILConfig`."""
        self.config = config
        self.discount, self.strength, self.ends = config.discount, config.strength, config.ends

    def reward(self, batch: Batch) -> NDArray[np.float32]:
        """See `RewardSignal`; 0 on rows on which nothing was done."""
        earned = np.where(batch.shown > 0, F32(self.config.shown), F32(self.config.lived))
        return earned * (batch.acted[: len(batch.code)] > 0)

    def update(self, batch: Batch) -> Mapping[str, SupportsFloat]:
        """It does not learn."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """It has no memory."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """It has no memory."""
