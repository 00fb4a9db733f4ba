"""Verdicts for a terminal: the headline, and what it rests on."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from typing import TextIO

from understudy.report.plain import on_terminal, printable, said, width_of
from understudy.report.standing import headline_of, stand
from understudy.report.tables import evaluation_table, print_table
from understudy.report.verdict import Verdict
from understudy.run.evaluate import Evaluation

_COLORS = {"good": "bold green", "partial": "bold yellow", "none": "bold red", "unsure": "bold"}


def print_played(
    evaluations: Mapping[str, Evaluation],
    stream: TextIO | None = None,
    *,
    solved: float | None = None,
) -> None:
    """Write where the learned policy stands, if one was played, and the table of everybody.

    Args:
        evaluations: By name; see `stand`.
        stream: Where; None for standard output.
        solved: What the environment calls solved, if it says.
    """
    to: TextIO = stream or sys.stdout
    standing = stand(evaluations, solved)
    if standing is not None:
        print_judged("In the environment", headline_of(standing, evaluations, solved), standing, to)
        to.write("\n")
    print_table(evaluation_table(evaluations), to)


def print_judged(about: str, headline: str, verdict: Verdict, stream: TextIO | None = None) -> None:
    """Write a verdict: what it is about and its headline on one line, then its sentences.

    Args:
        about: What is judged.
        headline: The level in words.
        verdict: The level, and the sentences that it rests on.
        stream: Where; None for standard output.
    """
    to: TextIO = stream or sys.stdout
    title = f"{about}: {headline[:1].lower()}{headline[1:]}."
    if on_terminal(to):
        from rich.console import Console
        from rich.text import Text

        text = Text(said(printable(title), to), style=_COLORS[verdict.level])
        Console(file=to, highlight=False).print(text)
    else:
        to.write(said(printable(title), to) + "\n")
    for sentence in verdict.sentences:
        for line in textwrap.wrap(
            printable(sentence), width_of(to), initial_indent="- ", subsequent_indent="  "
        ):
            to.write(said(line, to) + "\n")
