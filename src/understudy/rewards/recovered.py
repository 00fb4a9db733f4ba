"""A reward that was recovered from demonstrations elsewhere; it does not learn any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, SupportsFloat

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from understudy.data.batch import Batch
from understudy.nets.discriminator import Teller
from understudy.nets.flat import F32
from understudy.rewards.steps import lived


@dataclass(frozen=True, kw_only=True, slots=True)
class RecoveredConfig:
    """Where a recovered reward is, and how it counts."""

    folder: str
    """What a run of `airl` left in its folder under `rewards`, or `save_reward` wrote."""
    discount: Annotated[float, Ge(0), Le(1)] = 0.98
    """What a reward is worth one step later; that which it was recovered with is the one that it
    holds for."""
    strength: Annotated[float, Ge(0)] = 1.0
    """How much it counts among other signals."""
    alive: float = 0.0
    """Added to every step's reward. A reward is recovered up to a constant, which is of no account
    as long as all episodes have one length; where they do not, it says what an end is worth."""
    scale: Annotated[float, Gt(0)] = 0.1
    """What all of that is multiplied with."""


class Recovered:
    """Earns what `g` says. See `RewardSignal`."""

    ends = True

    def __init__(self, net: Teller, config: RecoveredConfig) -> None:
        """Args: net: `g`, as `understudy.rewards.airl` has learned it. config: how it counts."""
        self.net, self.config = net, config
        self.discount, self.strength = config.discount, config.strength

    def reward(self, batch: Batch) -> NDArray[np.float32]:
        """See `RewardSignal`; 0 on rows on which nothing was done."""
        c, parts = self.config, lived(batch).parts(self.net.width)
        said = [self.net(self.net.see(*part[:3])).array[..., 0] for part in parts]
        earned = np.concatenate(said) + F32(c.alive)
        return F32(c.scale) * earned * (batch.acted[: len(batch.code)] > 0)

    def update(self, batch: Batch) -> Mapping[str, SupportsFloat]:
        """It does not learn."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """It has no memory: a run finds it where its settings say."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """It has no memory."""
