"""What acting brought while learning went on: a curve per run, an interval per group of runs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.ops.statistics import bootstrap_interval, iqm
from understudy.report.canvas import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    SOFT,
    canvas,
    thousands,
)
from understudy.report.standing import number
from understudy.run.returns import LAST_EPISODES

RETURN, EPISODES = "return", "episodes"
COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, GRAY)
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
"""Where colors are used up, lines differ."""
DOTS = (0, (1, 2))
MOST_LETTERS = 84
"""Of a title's line."""
FEWEST_FOR_AN_INTERVAL = 3
POINTS = 200
DRAWS = 500
"""Resamples of an interval: a picture cannot show more."""

STEPS, SECONDS = "steps of the environment", "CPU-seconds"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One run.

    Attributes:
        at: `[n]` rising: steps of the environment, or CPU-seconds.
        returns: `[n]` what the last episodes before each brought.
        episodes: `[n]` how many had finished by then.
    """

    at: Floats
    returns: Floats
    episodes: Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """What several runs came to.

    Attributes:
        iqm: The interquartile mean over runs.
        low, high: Its 95 % bootstrap interval; None for fewer than three runs, of which resamples
            say nothing.
    """

    iqm: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """Args: values: one per run, at least one."""
        x = np.array(values, np.float64)
        if len(x) < FEWEST_FOR_AN_INTERVAL:
            return cls(float(iqm(x)))
        return cls(float(iqm(x)), *bootstrap_interval(x, np.random.default_rng(0)))

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"iqm": self.iqm, "ci95": None if self.low is None else [self.low, self.high]}


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Several runs on one grid, as far as the shortest of them goes.

    Attributes:
        at: `[POINTS]` see `Curve`.
        middle: `[POINTS]` the interquartile mean over runs.
        low, high: `[POINTS]` its 95 % bootstrap interval; None for fewer than three runs.
        last: What they had come to there.
    """

    at: Floats
    middle: Floats
    low: Floats | None
    high: Floats | None
    last: Estimate


def curve_of(lines: Sequence[Mapping[str, Any]]) -> Curve | None:
    """The curve in the lines of `metrics.jsonl`; None if no episode has finished."""
    # A run that was resumed from an older checkpoint has logged some steps twice: the last counts.
    last = {
        line["step"]: (line[RETURN], line.get(EPISODES, math.inf))
        for line in lines
        if line.get(RETURN) is not None
    }
    if not last:
        return None
    steps = sorted(last)
    found = np.array([last[step] for step in steps], np.float64)
    return Curve(np.array(steps, np.float64), found[:, 0], found[:, 1])


def band_of(curves: Sequence[Curve]) -> Band:
    """What several runs have in common; between two notes the older one holds.

    Args:
        curves: Of at least one run.
    """
    start = max(curve.at[0] for curve in curves)
    stop = max(start, min(curve.at[-1] for curve in curves))
    grid = np.linspace(start, stop, POINTS)
    values = np.stack([_at(curve, grid) for curve in curves], axis=-1)
    middle = iqm(values)
    last = Estimate.of(values[-1].tolist())
    if len(curves) < FEWEST_FOR_AN_INTERVAL:
        return Band(grid, middle, None, None, last)
    # The same resamples of the runs at every point, so that the edges are as smooth as the curves.
    bounds = np.array(
        [bootstrap_interval(x, np.random.default_rng(0), draws=DRAWS) for x in values]
    )
    return Band(grid, middle, bounds[:, 0], bounds[:, 1], last)


def _at(curve: Curve, grid: Floats) -> Floats:
    return curve.returns[np.searchsorted(curve.at, grid, "right") - 1]


def reached(curve: Curve, goal: float) -> float:
    """Where a run first brought at least so much over as many episodes as a note tells of.

    Returns:
        The place, see `Curve`; inf if it never did.
    """
    good = np.flatnonzero((curve.returns >= goal) & (curve.episodes >= LAST_EPISODES))
    return float(curve.at[good[0]]) if len(good) else math.inf


def draw_returns(
    groups: Mapping[str, Sequence[Curve]],
    path: Path,
    title: str = "",
    *,
    levels: Mapping[str, Estimate] | None = None,
    goal: float | None = None,
    over: str = STEPS,
) -> None:
    """One color per group: its interquartile mean, its interval or else its single runs.

    Args:
        groups: Runs that differ only in their seeds, by what they have in common.
        path: Where the picture goes, a PNG file.
        title: What there is to see; by default where the curves end.
        levels: What runs that have no curve came to, by what they have in common.
        goal: A return to mark.
        over: What curves go over, in words.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: There is neither a curve nor a level.
    """
    bands = {name: band_of(curves) for name, curves in groups.items() if curves}
    levels = levels or {}
    if not bands and not levels:
        raise ValueError("no run has a return to draw")
    heading = title or title_of({name: b.last for name, b in bands.items()} | dict(levels))
    names = [*bands, *levels]
    columns = 1 if max(map(len, names)) > MOST_LETTERS // 2 else 2
    # A legend of many lines makes the picture higher instead of the curves lower.
    height = 4.0 + 0.2 * -(-len(names) // columns) if bands else 1.4 + 0.45 * len(levels)
    with canvas(path, 9, height, textwrap.fill(heading, MOST_LETTERS)) as figure:
        axis = figure.subplots()
        if not bands:
            _draw_dots(axis, levels, goal)
            return
        if goal is not None:
            _draw_goal(axis, goal)
        styles = [*map(_style, range(len(names)))]
        for (name, band), style in zip(bands.items(), styles, strict=False):
            _draw_band(axis, name, band, groups[name], style)
        furthest = max(band.at[-1] for band in bands.values())
        for place, (name, level) in enumerate(levels.items()):
            at = furthest * (1.02 + 0.015 * place)
            _draw_level(axis, name, level, at, styles[len(bands) + place])
        axis.set_xlabel(over)
        axis.set_ylabel(f"return of the last {LAST_EPISODES} episodes")
        axis.set_xlim(0, furthest * (1.03 + 0.015 * len(levels)) or 1)
        if furthest >= 10:
            thousands(axis.xaxis)
        if len(names) > 1:
            axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2)


def _style(place: int) -> dict[str, Any]:
    dashes = DASHES[place // len(COLORS) % len(DASHES)]
    return {"color": COLORS[place % len(COLORS)], "linestyle": dashes}


def _draw_band(
    axis: Any, name: str, band: Band, curves: Sequence[Curve], style: Mapping[str, Any]
) -> None:
    label = f"{name} ({len(curves)} runs)" if len(curves) > 1 else name
    axis.plot(band.at, band.middle, label=label, **style)
    if band.low is not None and band.high is not None:
        shade = {"color": style["color"], "alpha": 0.18, "linewidth": 0}
        axis.fill_between(band.at, band.low, band.high, **shade)
    elif len(curves) > 1:
        for curve in curves:
            axis.plot(curve.at, curve.returns, color=style["color"], alpha=0.3, linewidth=0.8)


def _draw_level(axis: Any, name: str, level: Estimate, at: float, style: Mapping[str, Any]) -> None:
    """A line where there is no curve, its interval at the right edge, where it hides nothing."""
    color = style["color"]
    axis.axhline(level.iqm, label=f"{name}, evaluated", color=color, linestyle=(0, (4, 2)))
    if level.low is not None and level.high is not None:
        axis.plot([at, at], [level.low, level.high], color=color, linewidth=3, alpha=0.6)


def _draw_dots(axis: Any, levels: Mapping[str, Estimate], goal: float | None) -> None:
    """Where nothing has a curve: a row per group, a dot with its interval."""
    for place, (name, level) in enumerate(levels.items()):
        color = _style(place)["color"]
        if level.low is not None and level.high is not None:
            axis.plot([level.low, level.high], [place, place], color=color, linewidth=3, alpha=0.4)
        axis.plot(level.iqm, place, "o", color=color, markersize=8, label=name)
    axis.set_yticks(range(len(levels)), [*levels])
    axis.set_ylim(len(levels) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.grid(visible=True, axis="x")
    axis.tick_params(axis="y", labelcolor=INK)
    axis.set_xlabel("return when evaluated")
    if goal is not None:
        axis.axvline(goal, color=SOFT, linewidth=1, linestyle=DOTS, zorder=0)


def _draw_goal(axis: Any, goal: float) -> None:
    axis.axhline(goal, color=SOFT, linewidth=1, linestyle=DOTS, zorder=0)
    axis.annotate(
        number(goal),
        (0, goal),
        xycoords=("axes fraction", "data"),
        xytext=(3, 2),
        textcoords="offset points",
        color=SOFT,
        fontsize=8.5,
    )


def title_of(ends: Mapping[str, Estimate]) -> str:
    """Where groups end, in words that claim no more than the intervals do."""
    if len(ends) == 1:
        ((name, end),) = ends.items()
        return f"{name} ends at {number(end.iqm)}"
    ranked = sorted(ends.items(), key=lambda item: -item[1].iqm)
    (first, a), (second, b) = ranked[:2]
    figures = f"{number(a.iqm)} and {number(b.iqm)}"
    if a.low is None or b.high is None:
        return f"{first} ends at {number(a.iqm)}, {second} at {number(b.iqm)}"
    if a.low <= b.high:
        return f"{first} and {second} cannot be told apart at the end: {figures}"
    return f"{first} ends highest, at {number(a.iqm)}; {second} at {number(b.iqm)}"
