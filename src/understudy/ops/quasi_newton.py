"""Descent on a smooth convex function of a few hundred numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Objective = Callable[[Floats], tuple[float, Floats]]
"""`[K]` to the value there and its gradient `[K]`."""

ENOUGH, FLATTER = 1e-4, 0.9
"""Of a step: which share of the promised descent it must bring, and how much slope may be left."""
MOST_TRIALS, LONGEST = 60, 2.0**10
"""How often a step's length is changed, and the most that it is lengthened."""


class Point(NamedTuple):
    """Where a descent stands.

    Attributes:
        x: `[K]`.
        value: Of the function there; it never rises.
        gradient: `[K]`.
    """

    x: Floats
    value: float
    gradient: Floats


def bfgs(objective: Objective, x: Floats) -> Iterator[Point]:
    """The points of a quasi-Newton descent, the first of them `x` (Nocedal and Wright, 2006, 6.1).

    It ends by itself only where no step leads further down, for all that rounding lets see.

    Args:
        objective: Smooth and convex; it need not have a minimum.
        x: `[K]` where to begin.

    Example:
        >>> *_, last = bfgs(lambda x: (float(x @ x), 2 * x), np.array([3.0, 4.0]))
        >>> float(np.abs(last.x).max()) < 1e-6
        True
    """
    point = Point(x, *objective(x))
    yield point
    inverse = np.eye(len(x)) / max(1.0, float(np.linalg.norm(point.gradient)))
    first = True
    while point.gradient.any():
        found = _step(objective, point, -inverse @ point.gradient)
        if found is None:
            return
        moved, bent = found.x - point.x, found.gradient - point.gradient
        curvature = float(moved @ bent)
        if curvature > 0:
            if first:
                inverse, first = np.eye(len(x)) * curvature / float(bent @ bent), False
            inverse = _updated(inverse, moved, bent, curvature)
        point = found
        yield point


def _step(objective: Objective, at: Point, way: Floats) -> Point | None:
    """A step that descends enough and leaves the slope flatter; None if no length descends.

    Doubling and halving: Lewis and Overton (2013), "Nonsmooth optimization via quasi-Newton
    methods", algorithm 2.6. Where the function falls without end, the longest step that was tried.
    """
    slope = float(at.gradient @ way)
    rounding = 4 * np.finfo(float).eps * abs(at.value)
    short, long, length, best = 0.0, np.inf, 1.0, None
    for _ in range(MOST_TRIALS):
        x = at.x + length * way
        there = Point(x, *objective(x))
        if not there.value <= at.value + ENOUGH * length * slope + rounding:
            long = length
        elif float(there.gradient @ way) < FLATTER * slope:
            short, best = length, there
        else:
            return there if there.value <= at.value else best
        length = 2 * short if np.isinf(long) else (short + long) / 2
        if length > LONGEST:
            break
    return best


def _updated(inverse: Floats, moved: Floats, bent: Floats, curvature: float) -> Floats:
    """The inverse Hessian once it maps `bent` to `moved` (eq. 6.17)."""
    left = np.eye(len(moved)) - np.outer(moved, bent) / curvature
    return left @ inverse @ left.T + np.outer(moved, moved) / curvature
