"""A comparison of runs as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from understudy.report.comparison import Group
from understudy.report.return_curves import STEPS, Estimate, reached
from understudy.report.standing import number
from understudy.report.tables import Table
from understudy.run.returns import LAST_EPISODES

NOTHING = "–"
_OVER_RUNS = "Over runs: interquartile mean, with its 95% bootstrap interval from three runs on."


def learning_table(groups: Sequence[Group], goal: float | None, over: str) -> Table | None:
    """What learning brought, a row per group that has a curve; None where none has.

    Args:
        groups: Runs that differ only in their seeds.
        goal: A return whose first reaching is told.
        over: What the groups' curves go over, in words.
    """
    unit = "steps" if over == STEPS else over
    drawn = [group for group in groups if group.curves]
    columns: dict[str, Callable[[Group], str]] = {
        "while learning": lambda group: group.label,
        "runs": lambda group: str(len(group.runs)),
        unit: _length,
        "at the end": lambda group: _iqm(_last(group)),
        "95% interval": lambda group: _interval(_last(group)),
        "best": _peak,
    }
    notes = [f"Returns of the last {LAST_EPISODES} episodes, with drawn actions."]
    if any(len(group.runs) > 1 for group in drawn):
        notes.append(_OVER_RUNS)
    if goal is not None:
        columns[f"{unit} to {number(goal)}"] = lambda group: _to(group, goal)
        if any(len(group.runs) > 1 for group in drawn):
            notes.append(f"The {unit} to {number(goal)} are the median.")
    return _table(columns, drawn, " ".join(notes)) if drawn else None


def evaluation_table(groups: Sequence[Group]) -> Table | None:
    """What evaluations brought and what learning cost, a row per group; None if neither is known.

    Args:
        groups: Runs that differ only in their seeds.
    """
    known = [g for g in groups if g.evaluated is not None or g.cpu_seconds is not None]
    columns: dict[str, Callable[[Group], str]] = {
        "having learned": lambda group: group.label,
        "runs": lambda group: str(len(group.runs)),
        "evaluated": lambda group: _iqm(group.evaluated),
        "95% interval": lambda group: _interval(group.evaluated),
        "CPU-seconds": _cost,
    }
    notes = ["Evaluated with the likeliest actions. CPU-seconds: what learning took a run."]
    if any(len(group.runs) > 1 for group in known) and not any(g.curves for g in groups):
        notes.append(_OVER_RUNS)
    return _table(columns, known, " ".join(notes)) if known else None


def _table(columns: dict[str, Callable[[Group], str]], groups: Sequence[Group], note: str) -> Table:
    """Columns of which nothing is known are left out."""
    cells = {head: [cell(group) for group in groups] for head, cell in columns.items()}
    told = {head: column for head, column in cells.items() if set(column) != {NOTHING}}
    return Table(tuple(told), tuple(zip(*told.values(), strict=True)), note)


def _length(group: Group) -> str:
    band = group.band
    return NOTHING if band is None else f"{band.at[-1]:,.{0 if band.at[-1] >= 100 else 1}f}"


def _last(group: Group) -> Estimate | None:
    return None if group.band is None else group.band.last


def _iqm(found: Estimate | None) -> str:
    return NOTHING if found is None else number(found.iqm)


def _interval(found: Estimate | None) -> str:
    if found is None or found.low is None or found.high is None:
        return NOTHING
    return f"{number(found.low)} to {number(found.high)}"


def _peak(group: Group) -> str:
    return NOTHING if group.band is None else number(float(group.band.middle.max()))


def _to(group: Group, goal: float) -> str:
    """The median of what it took, and how many got there where not all did."""
    if not group.curves:
        return NOTHING
    middle = group.reaching(goal)
    there = sum(math.isfinite(reached(curve, goal)) for curve in group.curves)
    text = "never" if math.isinf(middle) else f"{middle:,.{0 if middle >= 100 else 1}f}"
    return text if there in (0, len(group.curves)) else f"{text} ({there} of {len(group.curves)})"


def _cost(group: Group) -> str:
    cost = group.cpu_seconds
    return NOTHING if cost is None else f"{cost:,.{0 if cost >= 100 else 1}f}"
