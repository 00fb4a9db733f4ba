"""Every part of an action on its own: how well the policy and its baselines do it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from understudy.run.held_out import HeldOutReport

Kind = Literal["choice", "number"]


@dataclass(frozen=True, slots=True)
class Part:
    """One branch or one number of the action, and how well each actor does it.

    Attributes:
        name: `branch 0`, `number 0`.
        kind: `choice`: figures are shares of steps with the shown choice. `number`: figures are
            shares of the variance that is explained, which may be negative.
        policy, commonest, previous, training: The figures, see `HeldOutReport`.
    """

    name: str
    kind: Kind
    policy: float
    commonest: float
    previous: float
    training: float

    @property
    def judged(self) -> bool:
        """Whether the demonstrator varied it on the held-out steps."""
        if self.kind == "number" and self.policy == self.commonest == 0.0:
            return False  # nothing varies: the figures say no more than that somebody is off
        return self.commonest < 1 - 1e-9

    @property
    def skill(self) -> float:
        """Share of the commonest action's mistakes that the policy does not make, at most 1."""
        return self.skill_at(self.policy)

    def skill_at(self, figure: float) -> float:
        """The skill of an actor with this figure."""
        return (figure - self.commonest) / (1 - self.commonest) if self.judged else 1.0


def parts(report: HeldOutReport) -> tuple[Part, ...]:
    """Every branch, then every number."""
    actors = (report.policy, report.commonest, report.previous, report.training)
    choices = [
        Part(f"branch {k}", "choice", *(float(a.accuracy[k]) for a in actors))
        for k in range(len(report.policy.accuracy))
    ]
    numbers = [
        Part(f"number {c}", "number", *(float(a.explained[c]) for a in actors))
        for c in range(len(report.policy.explained))
    ]
    return (*choices, *numbers)


def percent(share: float) -> str:
    """A share in words: whole percents, and a decimal where 0% or 100% would be untrue."""
    close = 0.0005 <= abs(share) < 0.01 or 0.99 < share < 0.9995
    return _signed(f"{100 * share:.1f}" if close else f"{100 * share:.0f}") + "%"


def nats(log_prob: float) -> str:
    """A log-likelihood in words."""
    return _signed(f"{log_prob:.3f}")


def _signed(text: str) -> str:
    """A number with a real minus, and without any where it is zero."""
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def interval(kind: Kind, figure: float, steps: int) -> tuple[float, float]:
    """A rough 95% interval of a figure, as if steps were independent.

    Wilson's for shares of steps; for explained variance the large-sample standard error
    `2 r (1 - r^2) / sqrt(n)` with `r^2` the figure (Olkin and Finn, 1995).
    """
    z, n = 1.96, max(steps, 1)
    if kind == "choice":
        p = figure
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)
    r2 = min(max(figure, 0.05), 1.0)
    half = z * 2 * math.sqrt(r2) * (1 - r2) / math.sqrt(n)
    return figure - half, min(1.0, figure + half)
