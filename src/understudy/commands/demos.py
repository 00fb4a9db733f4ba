"""`understudy demos`: look at demonstration files, bring them into shape, take them elsewhere."""

from __future__ import annotations

from typing import Any

from understudy.commands import (
    demos_check,
    demos_convert,
    demos_edit,
    demos_play,
    demos_show,
    demos_smaller,
)
from understudy.commands.demos_reading import add_alignment

__all__ = ["add", "add_alignment"]

TOOLS = (demos_show, demos_check, demos_play, demos_convert, demos_smaller, demos_edit)


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "demos", help="look at demonstrations, convert and edit them", description=__doc__
    )
    tools = verb.add_subparsers(dest="tool", metavar="TOOL", required=True)
    for tool in TOOLS:
        tool.add(tools)
