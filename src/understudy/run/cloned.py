"""What a cloning run came to: how like what was shown its policy acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from understudy.run.cloning import Cloning
from understudy.run.held_out import HeldOutReport


@dataclass(frozen=True, slots=True)
class Cloned:
    """What is known of a cloned policy from held-out episodes.

    Attributes:
        best_step: The look at held-out episodes whose weights were kept; None without any.
        best, last: The best weights by that measure and the last ones, beside the baselines; None
            if nothing was held out, or the run was interrupted.
        weights: Which of them the policy has.
        folds: Where there is no environment, the same from several runs that each held out other
            episodes: what to believe. None if it was not made.
        note: What the reader should know about what was held out.
    """

    best_step: int | None
    best: HeldOutReport | None
    last: HeldOutReport | None
    weights: str
    folds: HeldOutReport | None
    note: str | None

    @classmethod
    def of(cls, cloning: Cloning) -> Self:
        """What a run knows of itself when it has left its policies."""
        held, reports = cloning.held_out, cloning.reports
        return cls(
            best_step=None if held is None else held.best_step,
            best=reports.get("best"),
            last=reports.get("last"),
            weights=cloning.kept,
            folds=None,
            note=cloning.split.note,
        )

    @property
    def held_out(self) -> HeldOutReport | None:
        """What to believe: all folds, else the policy's weights on the episodes held out."""
        return self.folds or (self.best if self.weights == "best" else self.last)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "best_step": self.best_step,
            "best": None if self.best is None else self.best.to_json(),
            "last": None if self.last is None else self.last.to_json(),
            "weights": self.weights,
            "held_out": None if self.held_out is None else self.held_out.to_json(),
            "folds": self.folds is not None,
            "note": self.note,
        }
