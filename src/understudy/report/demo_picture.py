"""A picture of demonstrations: returns, lengths, what was done, and what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.report.canvas import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PAPER,
    PURPLE,
    SOFT,
    canvas,
    grid_of,
    percents,
    thousands,
)
from understudy.report.frames import as_rgb
from understudy.report.show import title_of
from understudy.report.standing import number

MOST_PANELS, MOST_CAMERAS, MOST_FRAMES = 8, 3, 8
MOST_EPISODES = 100
"""Episodes whose continuous actions are drawn: enough for a histogram, and soon read."""


def demo_overview(demos: Demos, summary: Mapping[str, Any], path: Path) -> None:
    """Draw what is in demonstrations.

    Args:
        demos: The demonstrations.
        summary: What `understudy.data.summary.summarize` says of them.
        path: A PNG file.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    spec = demos.spec
    action_panels = min(MOST_PANELS, len(spec.action.branches) + spec.action.continuous)
    rows, columns = grid_of(action_panels, 4)
    cameras = [n for n, o in spec.obs.items() if o.kind == "image" and o.size]
    cameras = cameras[:MOST_CAMERAS] if len(demos) else []
    bands: list[tuple[float, Callable[[Any], None]]] = [(2.3, lambda f: _amounts(f, summary))]
    if action_panels:
        bands.append((2.0 * rows, lambda f: _actions(f, demos, summary, rows, columns)))
    bands.extend((1.55, lambda f, name=name: _strip(f, demos, name)) for name in cameras)
    heights = [height for height, _ in bands]
    with canvas(path, 9, sum(heights) + 0.4, title_of(summary)) as figure:
        for part, (_, draw) in zip(
            np.ravel(figure.subfigures(len(bands), 1, height_ratios=heights, squeeze=False)),
            bands,
            strict=True,
        ):
            draw(part)


def _amounts(figure: Any, summary: Mapping[str, Any]) -> None:
    facts = [
        (name, summary[name], unit, color)
        for name, unit, color in (
            ("returns", "sum of an episode’s rewards", GREEN),
            ("lengths", "steps of an episode", BLUE),
        )
        if summary[name]
    ]
    if not facts:
        return
    axes = figure.subplots(1, len(facts), squeeze=False)[0]
    for axis, (name, fact, unit, color) in zip(axes, facts, strict=True):
        edges, counts = np.array(fact["histogram"]["edges"]), fact["histogram"]["counts"]
        axis.bar(
            edges[:-1],
            counts,
            np.diff(edges),
            align="edge",
            color=color,
            edgecolor=PAPER,
            alpha=0.85,
        )
        axis.axvline(fact["mean"], color=INK, linewidth=1.2)
        say = (lambda x: f"{x:,.0f}") if name == "lengths" else number
        axis.set_title(f"{name.capitalize()}: mean {say(fact['mean'])}, std {say(fact['std'])}")
        axis.set_xlabel(unit)
        if fact["min"] == fact["max"]:
            axis.set_xticks([fact["mean"]], [say(fact["mean"])])
        elif name == "lengths":
            thousands(axis.xaxis)
        axis.set_ylabel("episodes")
        axis.yaxis.get_major_locator().set_params(integer=True, nbins=5)


def _actions(
    figure: Any, demos: Demos, summary: Mapping[str, Any], rows: int, columns: int
) -> None:
    action = demos.spec.action
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_visible(False)
    branches = summary["actions"]["branches"]
    left = iter(axes)
    for k, (axis, facts) in enumerate(zip(islice(left, len(branches)), branches, strict=False)):
        _draw_choices(axis, facts["shares"])
        axis.set_title(f"branch {k}" if len(branches) > 1 else "Choices")
    done = _continuous(demos) if action.continuous else np.zeros((0, 0))
    for c, axis in enumerate(islice(left, action.continuous)):
        _draw_numbers(axis, done[:, c])
        axis.set_title(f"number {c}" if action.continuous > 1 else "Action")
    for axis in (a for a in axes if a.get_visible()):
        percents(axis.yaxis)
    axes[0].set_ylabel("share of steps")


def _draw_choices(axis: Any, shares: list[float]) -> None:
    axis.set_visible(True)
    axis.bar(range(len(shares)), shares, color=ORANGE, alpha=0.9, width=0.75)
    axis.set_xlabel("choice")
    axis.set_xlim(-0.6, len(shares) - 0.4)
    axis.xaxis.get_major_locator().set_params(integer=True, nbins=8)
    axis.yaxis.get_major_locator().set_params(nbins=5)
    axis.set_ylim(0, max(shares, default=0) * 1.1 or 1)


def _draw_numbers(axis: Any, x: NDArray[np.float64]) -> None:
    axis.set_visible(True)
    if len(x):
        axis.hist(
            x,
            30,
            weights=np.full(len(x), 1 / len(x)),
            color=PURPLE,
            alpha=0.9,
            edgecolor=PAPER,
            linewidth=0.3,
        )
    axis.set_xlabel("environment’s units")
    axis.yaxis.get_major_locator().set_params(nbins=5)


def _continuous(demos: Demos) -> NDArray[np.float64]:
    """`[n, C]` what was meant, in episodes from all over the set."""
    picked = np.unique(np.linspace(0, len(demos) - 1, min(len(demos), MOST_EPISODES)).astype(int))
    runs = [demos.episodes[i].meant.continuous for i in picked.tolist()]
    empty = np.zeros((0, demos.spec.action.continuous))
    return np.concatenate([empty, *runs]).astype(np.float64)


def _strip(figure: Any, demos: Demos, name: str) -> None:
    """Pictures from an episode, evenly spaced in time."""
    episode = max(demos.episodes[:10], key=len)
    images = episode.obs[name]
    picked = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST_FRAMES)).astype(int))
    axes = figure.subplots(1, MOST_FRAMES, squeeze=False)[0]
    for axis in axes:
        axis.axis("off")
    for axis, t in zip(axes, picked.tolist(), strict=False):
        image = as_rgb(images[t], demos.spec.obs[name].channels_first)
        axis.imshow(image, interpolation="nearest" if image.shape[0] < 200 else "antialiased")
        axis.set_title(f"step {t:,}", loc="center", fontsize=8.5, color=SOFT, pad=4)
    figure.suptitle(f"{name}, from one episode", x=0.012, ha="left", fontsize=10.5)
