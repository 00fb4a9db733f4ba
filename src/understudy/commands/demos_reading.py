"""How every tool of `understudy demos` is told what to read, and which episodes of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from understudy.commands.options import whole

if TYPE_CHECKING:
    from understudy.data.demos import Demos
    from understudy.data.selection import Selection

ALIGNMENTS = ("auto", "next_record", "same_record")
ENDS = ("terminated", "truncated", "open", "unknown")


def add_alignment(verb: argparse.ArgumentParser) -> None:
    """Add `--alignment`."""
    verb.add_argument(
        "--alignment",
        choices=ALIGNMENTS,
        help="how ML-Agents files pair actions with observations (auto: found out)",
    )


def add_files(tool: argparse.ArgumentParser) -> None:
    """Add the files to read and `--alignment`."""
    tool.add_argument("files", nargs="+", type=Path, metavar="FILE", help="file or folder")
    add_alignment(tool)


def add_selection(tool: argparse.ArgumentParser) -> None:
    """Add the words that choose episodes; those that are given must all hold."""
    chosen = tool.add_argument_group(
        "which episodes", "all of them, unless some of these are said; then all that is said holds"
    )
    chosen.add_argument(
        "--episodes", metavar="3,5-9", help="by their numbers, as 'show --table' says them"
    )
    for what in ("return", "length"):
        kind, letter = (float, "X") if what == "return" else (whole, "N")
        for bound, words in (("min", "at least"), ("max", "at most")):
            chosen.add_argument(
                f"--{bound}-{what}", type=kind, metavar=letter, help=f"{what} {words} {letter}"
            )
    for option, words in (("--tag", "with this tag"), ("--no-tag", "without it")):
        chosen.add_argument(
            option, action="append", default=[], metavar="TAG", help=f"{words}; may be repeated"
        )
    chosen.add_argument(
        "--success",
        action=argparse.BooleanOptionalAction,
        help="that succeeded, or did not, where that is known",
    )
    chosen.add_argument(
        "--end", action="append", default=[], choices=ENDS, help="that ended so; may be repeated"
    )


def selection_of(args: argparse.Namespace) -> Selection:
    """The episodes that were asked for.

    Raises:
        ConfigError: What was said cannot hold.
    """
    from understudy.data.selection import Selection, numbers_in

    return Selection(
        numbers=None if args.episodes is None else numbers_in(args.episodes),
        min_return=args.min_return,
        max_return=args.max_return,
        min_length=args.min_length,
        max_length=args.max_length,
        tags=tuple(args.tag),
        without_tags=tuple(args.no_tag),
        success=args.success,
        ends=tuple(args.end),
    )


def read(args: argparse.Namespace) -> Demos:
    """What is in the files.

    Raises:
        DemoError: They cannot be read.
    """
    from understudy.data.formats.door import load_demos

    return load_demos(args.files, alignment=args.alignment or "auto")


def read_chosen(args: argparse.Namespace) -> Demos:
    """The episodes of the files that were asked for, read when they are needed.

    Raises:
        ConfigError: What was said cannot hold.
        DemoError: They cannot be read, or no episode is as was asked.
    """
    from understudy.data.selection import choose

    wanted = selection_of(args)
    return choose(read(args), wanted)
