"""What a run writes down while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepConfig:
    """What a run writes down while it goes on."""

    log_every: Annotated[int, Gt(0)] = 100
    """Steps between two lines of metrics."""
    checkpoint_seconds: Annotated[float, Ge(0)] = 30.0
    """Seconds between two checkpoints; one is always written at the end and at an interruption."""
    checkpoints: Annotated[int, Gt(0)] = 3
    """How many of the newest checkpoints are kept."""
    tensorboard: bool = True
    """Write TensorBoard's event files too."""
