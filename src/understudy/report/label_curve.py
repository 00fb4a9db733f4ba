"""What labels brought: a dot for every round of a run that asks an expert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from understudy.report.canvas import BLUE, SOFT, canvas, thousands
from understudy.report.standing import number

LABELS, RETURN = "labels", "trial/return"


def rounds_in(lines: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Labels so far and the return after every round, from the lines of `metrics.jsonl`.

    Args:
        lines: Those of a run that asks nobody have none.
    """
    # A round that was tried twice, because a run was resumed, counts as the second time.
    last = {line["round"]: line for line in lines if line.get(RETURN) is not None}
    return [(float(last[r][LABELS]), float(last[r][RETURN])) for r in sorted(last)]


def draw_labels(
    rounds: Sequence[tuple[float, float]], path: Path, solved: float | None = None
) -> None:
    """Return against labels.

    Args:
        rounds: See `rounds_in`; at least one.
        path: Where the picture goes, a PNG file.
        solved: A return to mark.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    labels, returns = np.array(rounds, np.float64).T
    title = f"{number(labels[-1])} labels brought {number(returns[-1])}"
    with canvas(path, 9, 4, title) as figure:
        axis = figure.subplots()
        if solved is not None:
            axis.axhline(solved, color=SOFT, linewidth=1, linestyle=(0, (1, 2)), zorder=0)
        axis.plot(labels, returns, color=BLUE, marker="o")
        axis.set_xlabel("labels that the expert has given")
        axis.set_ylabel("return after the round")
        axis.set_xlim(0, labels[-1] * 1.03)
        thousands(axis.xaxis)
