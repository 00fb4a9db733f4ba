"""A picture of a recovered reward beside the true one, and of where expert and learner go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.report.canvas import INK, PAPER, SOFT, canvas

MOST_LETTERS = 12
"""Columns up to which there is room for a number in every cell."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RewardMaps:
    """What is drawn of a grid, `[rows, columns]` each, nan where there are walls.

    Attributes:
        true: What each cell is truly worth.
        recovered: What it is worth to who learned from demonstrations.
        expert: How often an episode of the expert comes there.
        learner: The same of the policy that the recovered reward leads to.
    """

    true: NDArray[np.float64]
    recovered: NDArray[np.float64]
    expert: NDArray[np.float64]
    learner: NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = {
            name: getattr(self, name).shape for name in ("true", "recovered", "expert", "learner")
        }
        if len(set(shapes.values())) != 1 or self.true.ndim != 2:
            raise ValueError(f"maps of shapes {shapes}: expected [rows, columns] and all alike")


def draw_reward_maps(maps: RewardMaps, path: Path, title: str, note: str) -> None:
    """Draw the four maps side by side; rewards share a scale, and so do visits.

    Args:
        maps: What is drawn.
        path: A PNG file.
        title: What is shown.
        note: What the recovered reward is known up to, in words.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from textwrap import fill

    rows, columns = maps.true.shape
    width = 11.0
    height = 1.45 + (width / 4 - 0.2) * rows / columns
    panels = (
        ("True reward", maps.true, "rewards"),
        ("Recovered reward", maps.recovered, "rewards"),
        ("Where the expert goes", maps.expert, "visits"),
        ("Where the learner goes", maps.learner, "visits"),
    )
    scales = {
        "rewards": _Scale("PuOr", *_around_zero(maps.true, maps.recovered)),
        "visits": _Scale("Blues", 0.0, _highest(maps.expert, maps.learner)),
    }
    with canvas(path, width, height, title) as figure:
        for axis, (name, values, scale) in zip(figure.subplots(1, 4), panels, strict=True):
            _draw(axis, values, scales[scale])
            axis.set_title(name)
        figure.supxlabel(fill(note, 150), x=0.012, ha="left", fontsize=9, color=SOFT)


@dataclass(frozen=True, slots=True)
class _Scale:
    colors: str
    low: float
    high: float

    def dark(self, value: float) -> bool:
        """Whether white letters are read on its color; the middle of PuOr is white."""
        if self.low < 0:
            return abs(value) > 0.6 * self.high
        return value > 0.55 * self.high


def _draw(axis: Any, values: NDArray[np.float64], scale: _Scale) -> None:
    axis.set_facecolor(INK)
    axis.grid(visible=False)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.imshow(values, scale.colors, vmin=scale.low, vmax=scale.high, interpolation="nearest")
    if values.shape[1] > MOST_LETTERS:
        return
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            axis.text(
                column,
                row,
                _short(value),
                ha="center",
                va="center",
                fontsize=6.5,
                color=PAPER if scale.dark(value) else INK,
            )


def _short(value: float) -> str:
    digits = f"{value:.1f}" if abs(value) < 9.95 else f"{value:.0f}"
    return digits.replace("-0.0", "0").replace("-", "−").removesuffix(".0")


def _around_zero(*maps: NDArray[np.float64]) -> tuple[float, float]:
    most = _highest(*(np.abs(values) for values in maps))
    return -most, most


def _highest(*maps: NDArray[np.float64]) -> float:
    """The largest number that is one; 1 if there is none above 0."""
    finite = np.concatenate([values[np.isfinite(values)] for values in maps])
    return float(finite.max(initial=0.0)) or 1.0
