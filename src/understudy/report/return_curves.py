"""What acting brought while learning went on: a curve per run, an interval per group of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.ops.statistics import bootstrap_interval, iqm
from understudy.report.canvas import BLUE, GREEN, ORANGE, PURPLE, SKY, canvas, thousands
from understudy.report.standing import number

RETURN = "return"
COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY)
FEWEST_FOR_AN_INTERVAL = 3
POINTS = 200
DRAWS = 500
"""Resamples of an interval: a picture cannot show more."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One run.

    Attributes:
        steps: `[n]` rising, steps of the environment.
        returns: `[n]` what the last episodes before each brought.
    """

    steps: Floats
    returns: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Several runs on one grid of steps, as far as the shortest of them goes.

    Attributes:
        steps: `[POINTS]`.
        middle: `[POINTS]` the interquartile mean over runs.
        low, high: `[POINTS]` its 95 % bootstrap interval; None for fewer than three runs.
    """

    steps: Floats
    middle: Floats
    low: Floats | None
    high: Floats | None


def curve_of(lines: Sequence[Mapping[str, Any]]) -> Curve | None:
    """The curve in the lines of `metrics.jsonl`; None if no episode has finished."""
    found = [(line["step"], line[RETURN]) for line in lines if line.get(RETURN) is not None]
    if not found:
        return None
    # A run that was resumed from an older checkpoint has logged some steps twice: the last counts.
    last = dict(found)
    steps = sorted(last)
    return Curve(np.array(steps, np.float64), np.array([last[s] for s in steps], np.float64))


def band_of(curves: Sequence[Curve]) -> Band:
    """What several runs have in common; between two notes the older one holds."""
    start = max(curve.steps[0] for curve in curves)
    stop = max(start, min(curve.steps[-1] for curve in curves))
    grid = np.linspace(start, stop, POINTS)
    values = np.stack(
        [c.returns[np.searchsorted(c.steps, grid, "right") - 1] for c in curves], axis=-1
    )
    middle = iqm(values)
    if len(curves) < FEWEST_FOR_AN_INTERVAL:
        return Band(grid, middle, None, None)
    rng = np.random.default_rng(0)
    bounds = np.array([bootstrap_interval(x, rng, draws=DRAWS) for x in values])
    return Band(grid, middle, bounds[:, 0], bounds[:, 1])


def draw_returns(groups: Mapping[str, Sequence[Curve]], path: Path, title: str = "") -> None:
    """One color per group: its interquartile mean, its interval or else its single runs.

    Args:
        groups: Runs that differ only in their seeds, by what they have in common.
        path: Where the picture goes, a PNG file.
        title: What there is to see; by default where the curves end.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: There is no curve.
    """
    bands = {name: band_of(curves) for name, curves in groups.items() if curves}
    if not bands:
        raise ValueError("no run has a return to draw")
    with canvas(path, 9, 3.9, title or title_of(bands)) as figure:
        axis = figure.subplots()
        for place, (name, band) in enumerate(bands.items()):
            color = COLORS[place % len(COLORS)]
            runs = len(groups[name])
            label = f"{name} ({runs} runs)" if runs > 1 else name
            axis.plot(band.steps, band.middle, color=color, label=label)
            if band.low is not None and band.high is not None:
                axis.fill_between(
                    band.steps, band.low, band.high, color=color, alpha=0.18, linewidth=0
                )
            elif runs > 1:
                for curve in groups[name]:
                    axis.plot(curve.steps, curve.returns, color=color, alpha=0.3, linewidth=0.8)
        axis.set_xlabel("steps of the environment")
        axis.set_ylabel("return of the last 20 episodes")
        thousands(axis.xaxis)
        axis.set_xlim(left=0)
        if len(bands) > 1:
            axis.legend(loc="best")


def title_of(bands: Mapping[str, Band]) -> str:
    """Where the curves end, in words."""
    ends = {name: float(band.middle[-1]) for name, band in bands.items()}
    if len(ends) == 1:
        (name, band), *_ = bands.items()
        return f"{name} brings {number(ends[name])} after {band.steps[-1]:,.0f} steps"
    best = max(ends, key=lambda name: ends[name])
    others = [value for name, value in ends.items() if name != best]
    return f"{best} ends highest, at {number(ends[best])}; the next at {number(max(others))}"
