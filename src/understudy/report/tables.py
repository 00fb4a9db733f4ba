"""Tables: the same rows for a terminal, a pipe and a report."""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from understudy.report.parts import nats, parts, percent
from understudy.report.plain import on_terminal, printable, said
from understudy.report.progress_line import ProgressLine as ProgressLine  # beside the tables
from understudy.report.standing import number
from understudy.run.evaluate import Evaluation
from understudy.run.held_out import HeldOutReport

MOST_PARTS = 24


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words; the first column is a name and stands left, the others are figures.

    Attributes:
        columns: The heads.
        rows: As many cells each as there are heads.
        note: What to know when reading it; may be empty.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def evaluation_table(evaluations: Mapping[str, Evaluation]) -> Table:
    """Returns of every actor, with intervals."""
    rows: list[tuple[str, ...]] = []
    for name, evaluation in evaluations.items():
        if not len(evaluation):
            rows.append((name, "0", "–", "–", "–", "–"))
            continue
        facts = evaluation.summary()
        low, high = facts["return"]["ci95"]
        rows.append(
            (
                name,
                f"{facts['episodes']:,}",
                number(facts["return"]["iqm"]),
                f"{number(low)} to {number(high)}",
                number(facts["return"]["mean"]),
                f"{facts['length']['mean']:,.0f}",
            )
        )
    return Table(
        ("", "episodes", "IQM", "95% interval", "mean", "length"),
        tuple(rows),
        "IQM: mean of the middle half of the returns, with its 95% bootstrap interval.",
    )


def offline_table(report: HeldOutReport) -> Table:
    """The policy beside both baselines, part by part of the action."""
    actors = (report.policy, report.commonest, report.previous, report.training)
    found = parts(report)
    rows = [
        (
            f"{p.name}, {'as shown' if p.kind == 'choice' else 'explained'}",
            *(percent(x) for x in (p.policy, p.commonest, p.previous, p.training)),
        )
        for p in found[:MOST_PARTS]
    ]
    if len(report.policy.accuracy) > 1:
        rows.append(("all branches, as shown", *(_share(a.all_right) for a in actors)))
    for c in range(len(report.policy.rmse)):
        if len(rows) < 2 * MOST_PARTS:
            errors = (f"{float(a.rmse[c]):.3g}" for a in actors)
            rows.append((f"number {c}, error (RMSE)", *errors))
    rows.append(("log-likelihood, nats per step", *(_nats(a.log_prob) for a in actors)))
    left = f" The first {MOST_PARTS} of {len(found)} parts." if len(found) > MOST_PARTS else ""
    return Table(
        ("", "policy", "commonest", "previous", "policy in training"),
        tuple(rows),
        f"{report.steps:,} held-out steps of {_episodes(report.episodes)}. {_terms(report)}{left}",
    )


def _terms(report: HeldOutReport) -> str:
    """What the heads and rows mean."""
    choices, numbers = len(report.policy.accuracy), len(report.policy.explained)
    commonest = ["the commonest choice"] * bool(choices) + ["the mean"] * bool(numbers)
    said = (
        f"Commonest: always {' and '.join(commonest) or 'the same'}. "
        "Previous: repeats the action before."
    )
    if numbers:
        said += " Explained: share of the variance, below 0% if worse than the mean."
    return said


def print_table(table: Table, stream: TextIO | None = None) -> None:
    """Write the table: with lines and weight on a terminal, aligned words anywhere else."""
    to: TextIO = stream or sys.stdout
    if on_terminal(to):
        _print_rich(table, to)
    else:
        to.write(said(plain_table(table), to))


def plain_table(table: Table) -> str:
    """The table as aligned words, without control codes, ending in a newline."""
    lines = [tuple(printable(c) for c in row) for row in (table.columns, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [_aligned(row, widths) for row in lines]
    text.insert(1, "  ".join("-" * w for w in widths))
    if table.note:
        text += ["", *textwrap.wrap(printable(table.note), 100)]
    return "\n".join(text) + "\n"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(w) if i == 0 else cell.rjust(w)
        for i, (cell, w) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()


def _print_rich(table: Table, stream: TextIO) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    def words(text: str, style: str = "") -> Text:
        # As `Text`: brackets in a name are letters, not markup.
        return Text(said(printable(text), stream), style=style)

    drawn = RichTable(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), show_edge=False)
    for i, head in enumerate(table.columns):
        drawn.add_column(words(head), justify="right" if i else "left", no_wrap=True)
    for name, *figures in table.rows:
        drawn.add_row(words(name, "bold"), *map(words, figures))
    console = Console(file=stream, highlight=False)
    console.print(drawn)
    if table.note:
        console.print(words(table.note, "dim"))


def _share(x: float) -> str:
    return "–" if math.isnan(x) else percent(x)


def _nats(x: float) -> str:
    return "–" if math.isnan(x) else nats(x)


def _episodes(count: int) -> str:
    return f"{count:,} episode{'' if count == 1 else 's'}"
