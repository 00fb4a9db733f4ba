"""The environment's own reward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, SupportsFloat

from annotated_types import Ge, Le

from understudy.data.batch import Batch
from understudy.ops.arrays import Array
from understudy.rewards.signal import RewardSignal


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtrinsicConfig:
    """How the environment's reward counts."""

    discount: Annotated[float, Ge(0), Le(1)] = 0.99
    """What a reward is worth one step later."""
    strength: Annotated[float, Ge(0)] = 1.0
    """How much it counts among other signals."""
    ends: bool = True
    """Whether value stops where the task is over; without it the last observation is worth what it
    would be if the task went on."""


class Extrinsic:
    """Passes on what the environment gave. See `RewardSignal`."""

    def __init__(self, config: ExtrinsicConfig) -> None:
        """Args: config: see `ExtrinsicConfig`."""
        self.discount, self.strength, self.ends = config.discount, config.strength, config.ends

    def reward(self, batch: Batch) -> Array:
        """See `RewardSignal`."""
        return batch.reward

    def update(self, batch: Batch) -> Mapping[str, SupportsFloat]:
        """It does not learn."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """It has no memory."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """It has no memory."""


def rewarded_for(
    config: ExtrinsicConfig, others: Mapping[str, RewardSignal] | None
) -> dict[str, RewardSignal]:
    """The environment's reward and others by name; beside others it is left out at strength 0.

    Raises:
        ValueError: Another signal has its name.
    """
    if others and "extrinsic" in others:
        raise ValueError("'extrinsic' is the environment's own reward: name the signal otherwise")
    own = {} if others and not config.strength else {"extrinsic": Extrinsic(config)}
    return {**own, **(others or {})}
