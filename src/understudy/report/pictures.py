"""Pictures of a run: learning curves, returns, and what was done against what was shown.

Each function writes one PNG file whose title says what there is to see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.ops.statistics import bootstrap_interval, iqm
from understudy.report.canvas import (
    BLUE,
    FAINT,
    GRAY,
    GREEN,
    INK,
    ORANGE,
    PAPER,
    SERIES,
    SKY,
    SOFT,
    canvas,
    grid_of,
    thousands,
)
from understudy.report.parts import percent
from understudy.report.standing import EXPERT, RANDOM, number, role

MOST_PANELS = 12
MOST_LABELLED = 9
MOST_DOTS = 4000
LOSS, LIKELIHOOD = "loss", "held_out/log_prob"

Floats = NDArray[np.float64]


def learning_curves(
    lines: Sequence[Mapping[str, Any]], path: Path, *, best_step: int | None = None
) -> None:
    """Training loss and held-out log-likelihood over the run, the best step marked.

    Args:
        lines: As in `metrics.jsonl`: `step` and any of `loss` and `held_out/log_prob`.
        path: Where the picture goes.
        best_step: The step that was kept; None for the best in the lines.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: There is nothing to draw.
    """
    loss, held = _series(lines, LOSS), _series(lines, LIKELIHOOD)
    if not can_draw_curves(lines):
        raise ValueError(f"no line has a finite '{LOSS}' or '{LIKELIHOOD}'")
    drawn = [name for name, (x, _) in (("loss", loss), ("held", held)) if len(x)]
    with canvas(path, 9, 3.3, _curves_title(loss, held, best_step)) as figure:
        axes = dict(zip(drawn, figure.subplots(1, len(drawn), squeeze=False)[0], strict=True))
        if "loss" in axes:
            _draw_loss(axes["loss"], *loss)
        if "held" in axes:
            _draw_held(axes["held"], *held, best_step)
        last = max([*loss[0], *held[0]])
        for axis in axes.values():
            axis.set_xlabel("update")
            axis.set_xlim(0, last * 1.02 or 1)
            thousands(axis.xaxis)


def can_draw_curves(lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any line has something to draw."""
    return any(len(_series(lines, key)[0]) for key in (LOSS, LIKELIHOOD))


def return_histograms(returns: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Returns of several actors, one above the other on one scale.

    Args:
        returns: `[E]` returns by the actor's name; names that begin with `expert` or `random`
            have colors of their own.
        path: Where the picture goes.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: There is no return at all.
    """
    rows = {name: x[np.isfinite(x)] for name, x in _floats(returns).items()}
    rows = {name: x for name, x in rows.items() if len(x)}
    if not rows:
        raise ValueError("no actor has a return to draw")
    edges = _shared_edges(np.concatenate(list(rows.values())))
    with canvas(path, 9, 1.25 + 0.95 * len(rows), _returns_title(rows)) as figure:
        axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
        for axis, (name, x), color in zip(axes, rows.items(), _colors(list(rows)), strict=True):
            _draw_returns(axis, name, x, edges, color)
        axes[-1].set_xlabel("return of an episode (sum of the environment’s rewards)")
        axes[-1].spines["bottom"].set_visible(True)
        axes[-1].tick_params(axis="x", length=3)


def confusions(confusion: Sequence[NDArray[np.int64]], path: Path) -> None:
    """What was done against what was shown, one square per branch.

    Args:
        confusion: By branch, `[shown, done]` counts of steps; the first `MOST_PANELS` are drawn.
        path: Where the picture goes.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: There is no branch.
    """
    if not len(confusion):
        raise ValueError("the action has no branch to draw")
    drawn = list(confusion[:MOST_PANELS])
    rows, columns = grid_of(len(drawn), 4)
    side = {1: 4.6, 2: 3.3}.get(len(drawn), 2.5)
    title = _confusion_title(confusion)
    with canvas(path, max(columns * side, 5.2), rows * (side - 0.2) + 0.3, title) as figure:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes[len(drawn) :]:
            axis.set_visible(False)
        for k, (axis, counts) in enumerate(zip(axes, drawn, strict=False)):
            _draw_confusion(axis, np.asarray(counts), f"branch {k}" if len(confusion) > 1 else "")


def scatters(shown: NDArray[Any], done: NDArray[Any], path: Path) -> None:
    """What the policy does against what was shown, one square per continuous number.

    Args:
        shown: `[n, C]` shown actions in the environment's units.
        done: `[n, C]` the policy's most likely ones.
        path: Where the picture goes.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: There is nothing to draw, or the shapes differ.
    """
    shown, done = np.asarray(shown, np.float64), np.asarray(done, np.float64)
    if shown.shape != done.shape or shown.ndim != 2 or not shown.size:
        raise ValueError(f"shown {shown.shape} and done {done.shape}: expected two alike [n, C]")
    variance = shown.var(0)
    explained = 1 - ((done - shown) ** 2).mean(0) / np.where(variance > 0, variance, np.nan)
    count = min(shown.shape[1], MOST_PANELS)
    rows, columns = grid_of(count, 4)
    side = {1: 4.6, 2: 3.7}.get(count, 2.4)
    title = _scatter_title(explained)
    with canvas(path, max(columns * side, 6.4), rows * (side - 0.1) + 0.6, title) as figure:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes[count:]:
            axis.set_visible(False)
        for c in range(count):
            _draw_scatter(axes[c], shown[:, c], done[:, c])
            name = f"number {c}" if shown.shape[1] > 1 else "the action"
            axes[c].set_title(f"{name}: {_explained(float(explained[c]))}")
        figure.supxlabel("shown, in the environment’s units", color=SOFT, fontsize=9.5)
        figure.supylabel("done by the policy", color=SOFT, fontsize=9.5)


def _series(lines: Sequence[Mapping[str, Any]], key: str) -> tuple[Floats, Floats]:
    found = [(line["step"], line[key]) for line in lines if key in line and "step" in line]
    points = np.array([p for p in found if None not in p], np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(1)]
    # A run that was resumed from an older checkpoint has logged some steps twice: the last counts.
    last = {step: value for step, value in points.tolist()}
    steps = sorted(last)
    return np.array(steps), np.array([last[step] for step in steps])


def _curves_title(
    loss: tuple[Floats, Floats], held: tuple[Floats, Floats], best_step: int | None
) -> str:
    if not len(held[0]):
        return f"Training loss ends at {loss[1][-1]:.3g}".replace("-", "−")
    best = int(held[0][held[1].argmax()]) if best_step is None else best_step
    last = int(max([*loss[0], *held[0]]))
    if best >= last:
        return f"Still getting more like held-out episodes at the last update, {last:,}"
    return f"Most like held-out episodes at update {best:,} of {last:,}"


def _draw_loss(axis: Any, x: Floats, y: Floats) -> None:
    axis.set_title("Training loss")
    smooth = _smoothed(y)
    axis.plot(x, y, color=SKY, linewidth=0.9, alpha=0.55)
    axis.plot(x, smooth, color=BLUE)
    axis.annotate(
        f"{smooth[-1]:.3g}".replace("-", "−"),
        (x[-1], smooth[-1]),
        xytext=(-2, 9),
        textcoords="offset points",
        ha="right",
        color=BLUE,
        fontweight="bold",
    )
    if len(y) > 20:  # the first losses dwarf all that is worth seeing
        low, high = y.min(), np.quantile(y, 0.985)
        axis.set_ylim(low - 0.08 * (high - low) - 1e-9, high + 0.12 * (high - low) + 1e-9)


def _draw_held(axis: Any, x: Floats, y: Floats, best_step: int | None) -> None:
    axis.set_title("Held-out log-likelihood (nats per step)")
    axis.plot(x, y, color=GREEN, marker="o", markersize=3 if len(x) > 30 else 4)
    at = int(y.argmax()) if best_step is None else int(np.abs(x - best_step).argmin())
    axis.axvline(x[at], color=FAINT, linewidth=1, zorder=1)
    axis.plot(x[at], y[at], "o", markersize=9, color=ORANGE, markeredgecolor=PAPER, zorder=4)
    late = x[at] > 0.6 * x[-1]
    axis.annotate(
        f"best {y[at]:.3g}".replace("-", "−"),
        (x[at], y[at]),
        xytext=(-9 if late else 9, 10),
        textcoords="offset points",
        ha="right" if late else "left",
        color=ORANGE,
        fontweight="bold",
    )
    low, high = (np.quantile(y, 0.1) if len(y) > 8 else y.min()), y.max()
    axis.set_ylim(low - 0.15 * (high - low) - 1e-9, high + 0.25 * (high - low) + 1e-9)


def _smoothed(y: Floats) -> Floats:
    """A centered moving mean over a twentieth of the run."""
    half = len(y) // 40
    if not half:
        return y
    padded = np.concatenate([np.full(half, y[0]), y, np.full(half, y[-1])])
    return np.convolve(padded, np.ones(2 * half + 1) / (2 * half + 1), "valid")


def _floats(returns: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    return {name: np.asarray(x, np.float64).ravel() for name, x in returns.items()}


def _shared_edges(x: Floats) -> Floats:
    low, high = float(x.min()), float(x.max())
    pad = 0.02 * (high - low) or max(1.0, abs(high)) * 0.05
    return np.linspace(low - pad, high + pad, 61)


def _colors(names: Sequence[str]) -> list[str]:
    learned = iter(SERIES * len(names))
    return [{EXPERT: GREEN, RANDOM: GRAY}.get(role(name)) or next(learned) for name in names]


def _returns_title(rows: Mapping[str, Floats]) -> str:
    scores = {name: float(iqm(x)) for name, x in rows.items()}
    learned = {n: s for n, s in scores.items() if role(n) == "learned"}
    expert = next((s for n, s in scores.items() if role(n) == EXPERT), None)
    if not learned:
        return "Returns by actor"
    best = max(learned, key=lambda n: learned[n])
    if expert is None:
        return f"The policy brings {number(learned[best])}"
    return f"The policy brings {number(learned[best])}, the expert {number(expert)}"


def _draw_returns(axis: Any, name: str, x: Floats, edges: Floats, color: str) -> None:
    axis.hist(x, edges, color=color, alpha=0.8, edgecolor=PAPER, linewidth=0.4)
    middle = float(iqm(x))
    low, high = bootstrap_interval(x, np.random.default_rng(0))
    top = axis.get_ylim()[1]
    # The bar above shows how sure the middle is, on the same scale as the returns.
    axis.plot([low, high], [top * 1.14] * 2, color=INK, linewidth=2.2, solid_capstyle="round")
    axis.plot(middle, top * 1.14, "o", color=INK, markersize=5)
    axis.set_ylim(0, top * 1.35)
    axis.set_yticks([])
    axis.grid(visible=False)
    axis.grid(visible=True, axis="x")
    axis.spines["bottom"].set_color(FAINT)
    axis.tick_params(axis="x", length=0)
    axis.set_xlim(edges[0], edges[-1])
    text = f"IQM {number(middle)}   95% [{number(low)}, {number(high)}]   n = {len(x)}"
    axis.set_title(name, fontweight="bold", color=INK, pad=3)
    axis.set_title(text, loc="right", color=SOFT, fontsize=9, pad=3)


def _confusion_title(confusion: Sequence[NDArray[np.int64]]) -> str:
    total = sum(int(np.sum(c)) for c in confusion)
    right = sum(int(np.trace(c)) for c in confusion)
    if not total:
        return "No step was held out"
    left = f", the first {MOST_PANELS} of {len(confusion)}" if len(confusion) > MOST_PANELS else ""
    return f"{percent(right / total)} of held-out choices are as shown{left}"


def _draw_confusion(axis: Any, counts: NDArray[np.int64], title: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shown = counts.sum(1, keepdims=True)
    share = counts / np.maximum(shown, 1)
    shades = LinearSegmentedColormap.from_list("share", [PAPER, "#cfe3f3", SKY, BLUE, "#143f66"])
    axis.imshow(share, vmin=0, vmax=1, cmap=shades)
    size = len(counts)
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(True)
        spine.set_color(FAINT)
    if size <= MOST_LABELLED:
        small = 8.5 if size <= 6 else 7
        for i, j in np.ndindex(size, size):
            if counts[i, j]:
                color = PAPER if share[i, j] > 0.55 else INK
                text = f"{100 * share[i, j]:.0f}%"
                axis.text(j, i, text, ha="center", va="center", color=color, fontsize=small)
        axis.set_xticks(range(size))
        axis.set_yticks(range(size), [f"{i} ({n:,}×)" for i, n in enumerate(shown[:, 0])])
    for edge in np.arange(1, size) - 0.5 if size <= 40 else ():
        axis.axhline(edge, color=FAINT, linewidth=0.6)
        axis.axvline(edge, color=FAINT, linewidth=0.6)
    axis.tick_params(length=0)
    axis.set_xlabel("done by the policy")
    axis.set_ylabel("shown")
    if title:
        right = np.trace(counts) / max(1, counts.sum())
        axis.set_title(f"{title}: {percent(float(right))} right")


def _scatter_title(explained: Floats) -> str:
    known = explained[np.isfinite(explained)]
    if not len(known):
        return "The shown action never varies"
    left = f" (the first {MOST_PANELS} of {len(explained)})" if len(explained) > MOST_PANELS else ""
    return (
        f"The policy explains {percent(float(known.mean()))} of how the shown action varies{left}"
    )


def _explained(share: float) -> str:
    return "never varies" if math.isnan(share) else percent(share)


def _draw_scatter(axis: Any, shown: Floats, done: Floats) -> None:
    # A fixed choice of dots: the same figures give the same picture.
    pick = np.random.default_rng(0).permutation(len(shown))[:MOST_DOTS]
    both = np.concatenate([shown, done])
    low, high = np.quantile(both, [0.001, 0.999])
    pad = 0.06 * (high - low) or 0.5
    ends = [low - pad, high + pad]
    alpha = float(np.clip(120 / len(pick), 0.12, 0.7))
    axis.plot(ends, ends, color=ORANGE, linewidth=1.2, zorder=1)
    axis.plot(
        shown[pick], done[pick], "o", markersize=4, alpha=alpha, color=BLUE, markeredgewidth=0
    )
    axis.set_xlim(ends)
    axis.set_ylim(ends)
    axis.set_aspect("equal")
    axis.grid(visible=True, axis="both")
    axis.locator_params(nbins=5)
