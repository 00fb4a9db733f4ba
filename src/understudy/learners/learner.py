"""The contract of everything that learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, SupportsFloat

from understudy.data.batch import Batch
from understudy.nets.model import Model

Metrics = Mapping[str, SupportsFloat]
"""Numbers worth a log line, by name; worked out only if somebody reads them."""


class Learner(Protocol):
    """An update rule over one model."""

    model: Model

    def update(self, batch: Batch, progress: float) -> Metrics:
        """Change the weights a little.

        Args:
            batch: What to learn from.
            progress: Share of the run that is done, in [0, 1].
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next update depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        ...


class Lazy:
    """A number that is worked out when somebody reads it."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], float]) -> None:
        """Args: work: a function without arguments."""
        self._work = work

    def __float__(self) -> float:
        return float(self._work())

    def __repr__(self) -> str:
        return f"Lazy({float(self)})"
