"""`understudy demos show`: what is in demonstration files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.commands.demos_reading import add_files, add_selection, read_chosen
from understudy.commands.options import answer, answers, count

if TYPE_CHECKING:
    from understudy.data.catalog import Entry
    from understudy.data.demos import Demos

MOST_STRIPS = 4
"""Episodes of which pictures are shown."""


def add(tools: Any) -> None:
    """Add the tool."""
    show = tools.add_parser(
        "show", help="say what is in files", description="Say what is in demonstration files."
    )
    add_files(show)
    show.add_argument(
        "--check",
        action="store_true",
        help="also try whether an ML-Agents file's observations explain the actions as paired",
    )
    show.add_argument(
        "--table", action="store_true", help="list the episodes, deleted ones too, by their numbers"
    )
    show.add_argument(
        "--frames", action="store_true", help="show pictures that were seen, in letters"
    )
    show.add_argument("--picture", type=Path, metavar="PNG", help="draw an overview, too")
    add_selection(show)
    answers(show)
    show.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Say what is in the files, in words or JSON, and draw it if asked."""
    from understudy.data.formats.alignment import inverse_dynamics
    from understudy.data.summary import summarize

    demos = read_chosen(args)
    if args.picture:
        from understudy.report.show import draw

        draw(demos, args.picture)
    # Other formats say themselves what was done when; and of a script, whose next action follows
    # from what is seen next, the check would say that it was paired wrongly.
    paired_by_us = args.check and demos.provenance.alignment
    check = inverse_dynamics(demos) if paired_by_us else None
    if args.json:
        found = {**summarize(demos), "check": None if check is None else check.to_json()}
        table = {"table": [entry.to_json() for entry in _entries(demos)]} if args.table else {}
        answer({**found, **table})
        return 0
    _say(args, demos, None if check is None else check.describe())
    return 0


def _say(args: argparse.Namespace, demos: Demos, check: str | None) -> None:
    from understudy.report.plain import said
    from understudy.report.show import words

    print(words(demos, check=check))
    if args.table:
        from understudy.report.episode_table import episode_lines

        print("", *(said(line, sys.stdout) for line in episode_lines(_entries(demos))), sep="\n")
    elif hidden := _deleted(demos):
        print(f"\n{count(len(hidden), 'episode')} deleted, which 'demos undelete' shows again")
    if args.frames:
        _show_frames(demos)
    if args.picture:
        print(f"picture: {args.picture}")


def _entries(demos: Demos) -> list[Entry]:
    """The episodes, and those of a whole file of ours that are deleted, in order."""
    from understudy.data.catalog import catalog

    return sorted([*catalog(demos), *_deleted(demos)], key=lambda entry: entry.number)


def _deleted(demos: Demos) -> list[Entry]:
    from understudy.data.formats.native import StoredEpisodes

    stored = demos.episodes
    return stored.entries(deleted=True) if isinstance(stored, StoredEpisodes) else []


def _show_frames(demos: Demos) -> None:
    """Print pictures from the first episodes."""
    from understudy.report.frames import cameras
    from understudy.report.strips import print_strips

    if cameras(demos.spec):
        print_strips(demos, range(min(MOST_STRIPS, len(demos))), sys.stdout)
    else:
        print("\nno pictures: nothing that was seen is an image")
