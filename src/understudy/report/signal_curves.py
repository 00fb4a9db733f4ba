"""What a policy was rewarded for while it learned, and how well it was told from who showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.report.canvas import BLUE, GRAY, ORANGE, SERIES, canvas, percents, thousands

Lines = Sequence[Mapping[str, Any]]
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

TOLD = {"shown": BLUE, "held_out": ORANGE, "lived": GRAY}
"""Kinds of row that a discriminator is right or wrong about, by the last part of its figure."""


def rewards_in(lines: Lines) -> dict[str, Curve]:
    """The mean reward of a row by signal, over steps, from the lines of `metrics.jsonl`."""
    return _figures(lines, "/reward")


def accuracies_in(lines: Lines, signal: str) -> dict[str, Curve]:
    """How often a discriminator was right, by kind of row; empty for signals that tell nothing."""
    found = {kind: _figures(lines, f"{signal}/accuracy/{kind}").get("") for kind in TOLD}
    return {kind: curve for kind, curve in found.items() if curve is not None}


def alarms_in(lines: Lines) -> dict[str, float]:
    """At which share of looks a signal knew its demonstrations by heart, by signal."""
    return {name: float(y.mean()) for name, (_, y) in _figures(lines, "/alarm").items()}


def draw_signals(lines: Lines, path: Path) -> None:
    """Mean rewards, and beside them every discriminator's accuracy.

    Args:
        lines: As in `metrics.jsonl`, with rewards of a signal at least.
        path: Where the picture goes, a PNG file.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rewards = rewards_in(lines)
    told = {name: accuracies_in(lines, name) for name in rewards}
    told = {name: curves for name, curves in told.items() if curves}
    with canvas(path, 9, 3.3, _title(told)) as figure:
        first, *others = figure.subplots(1, 1 + len(told), squeeze=False)[0]
        first.set_title("Reward of a step")
        for (name, (x, y)), color in zip(rewards.items(), SERIES * len(rewards), strict=False):
            first.plot(x, y, color=color, label=name)
        first.legend(loc="best")
        for axis, (name, curves) in zip(others, told.items(), strict=True):
            axis.set_title(f"{name} is right about")
            for kind, (x, y) in curves.items():
                axis.plot(x, y, color=TOLD[kind], label=kind.replace("_", " "))
            axis.set_ylim(0, 1.05)
            percents(axis.yaxis)
            axis.legend(loc="best")
        for axis in (first, *others):
            axis.set_xlabel("step")
            thousands(axis.xaxis)


def _title(told: Mapping[str, Mapping[str, Curve]]) -> str:
    for name, curves in told.items():
        if "lived" in curves:
            share = curves["lived"][1][-1]
            return f"At the end {name} tells {share:.0%} of the policy’s steps from shown ones"
    return "What was sought"


def _figures(lines: Lines, ending: str) -> dict[str, Curve]:
    """Figures whose names end so, by what is before; of steps logged twice the last counts."""
    found: dict[str, dict[float, float]] = {}
    for line in lines:
        for name, value in line.items():
            if name.endswith(ending) and value is not None and np.isfinite(value):
                found.setdefault(name.removesuffix(ending), {})[float(line["step"])] = float(value)
    return {
        name: (np.array(sorted(points)), np.array([points[step] for step in sorted(points)]))
        for name, points in found.items()
    }
