"""`understudy demos`: what is in demonstration files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from understudy.commands.options import answer, answers

ALIGNMENTS = ("auto", "next_record", "same_record")


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser("demos", help="look at demonstrations", description=__doc__)
    tools = verb.add_subparsers(dest="tool", metavar="TOOL", required=True)
    show = tools.add_parser(
        "show", help="say what is in files", description="Say what is in demonstration files."
    )
    show.add_argument("files", nargs="+", type=Path, metavar="FILE", help="file or folder")
    show.add_argument(
        "--check",
        action="store_true",
        help="also try whether an ML-Agents file's observations explain the actions as paired",
    )
    show.add_argument("--picture", type=Path, metavar="PNG", help="draw an overview, too")
    add_alignment(show)
    answers(show)
    show.set_defaults(run=show_files)


def add_alignment(verb: argparse.ArgumentParser) -> None:
    """Add `--alignment`."""
    verb.add_argument(
        "--alignment",
        choices=ALIGNMENTS,
        help="how ML-Agents files pair actions with observations (auto: found out)",
    )


def show_files(args: argparse.Namespace) -> int:
    """Say what is in the files, in words or JSON, and draw it if asked."""
    from understudy.data.formats.alignment import inverse_dynamics
    from understudy.data.formats.door import load_demos
    from understudy.data.summary import summarize

    demos = load_demos(args.files, alignment=args.alignment or "auto")
    if args.picture:
        from understudy.report.show import draw

        draw(demos, args.picture)
    # Other formats say themselves what was done when; and of a script, whose next action follows
    # from what is seen next, the check would say that it was paired wrongly.
    paired_by_us = args.check and demos.provenance.alignment
    check = inverse_dynamics(demos) if paired_by_us else None
    if args.json:
        answer({**summarize(demos), "check": None if check is None else check.to_json()})
        return 0
    from understudy.report.show import words

    print(words(demos, check=None if check is None else check.describe()))
    if args.picture:
        print(f"picture: {args.picture}")
    return 0
