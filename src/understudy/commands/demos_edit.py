"""`understudy demos delete`, `undelete`, `tag`, `rename`, `undo`, `pack`: edits in place."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.commands.demos_reading import add_selection, selection_of
from understudy.commands.options import answer, answers, count, say, whole
from understudy.errors import ConfigError, DemoError

if TYPE_CHECKING:
    from understudy.data.formats.editing import Edit

_MOST_NAMED = 8
_TO_UNDO = "bring back what was with: understudy demos undo {}"


def add(tools: Any) -> None:
    """Add the tools."""
    delete = _tool(tools, "delete", "hide episodes; nothing is lost before 'pack'", run_delete)
    add_selection(delete)
    undelete = _tool(tools, "undelete", "show deleted episodes again", run_undelete)
    add_selection(undelete)
    tag = _tool(tools, "tag", "mark episodes with words, such as success", run_tag)
    for what, words in (("add", "give them this tag"), ("remove", "take it away")):
        tag.add_argument(
            f"--{what}", action="append", default=[], metavar="TAG", help=f"{words}; repeatable"
        )
    add_selection(tag)
    rename = _tool(tools, "rename", "give an episode a name", run_rename)
    rename.add_argument("episode", type=whole, metavar="EPISODE", help="its number")
    rename.add_argument("label", metavar="NAME", help="for people; '' for none")
    undo = _tool(tools, "undo", "undo the last edit", run_undo)
    undo.add_argument("--list", action="store_true", help="only say what could be undone")
    _tool(tools, "pack", "drop deleted episodes for good, and forget all edits", run_pack)


def _tool(tools: Any, name: str, about: str, run: Any) -> argparse.ArgumentParser:
    tool: argparse.ArgumentParser = tools.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}. Works on a file of ours, in place; no episode "
        "gets another number, and what is not named is not touched.",
    )
    tool.add_argument("file", type=Path, metavar="FILE", help="a file that 'record' has written")
    answers(tool)
    tool.set_defaults(run=run)
    return tool


def run_delete(args: argparse.Namespace) -> int:
    """Hide the episodes that are as asked."""
    from understudy.data.formats.editing import delete

    return _tell(args, delete(args.file, _chosen(args)), "deleted", _TO_UNDO)


def run_undelete(args: argparse.Namespace) -> int:
    """Show episodes again; all of them, unless some are named."""
    from understudy.data.formats.editing import undelete

    numbers = _chosen(args, deleted=True)
    return _tell(args, undelete(args.file, numbers), "shown again")


def run_tag(args: argparse.Namespace) -> int:
    """Mark the episodes that are as asked."""
    from understudy.data.formats.editing import tag

    if not (args.add or args.remove):
        raise ConfigError("tag: with what? Say --add TAG or --remove TAG")
    edit = tag(args.file, _chosen(args), args.add, args.remove)
    return _tell(args, edit, "tagged anew", _TO_UNDO)


def run_rename(args: argparse.Namespace) -> int:
    """Give an episode another name."""
    from understudy.data.formats.editing import rename

    edit = rename(args.file, args.episode, args.label)
    return _tell(args, edit, f"named '{args.label}'", _TO_UNDO)


def run_undo(args: argparse.Namespace) -> int:
    """Undo the last edit, or list them."""
    from understudy.data.formats.editing import edits, undo

    if args.list:
        done = edits(args.file)
        if args.json:
            answer({"file": str(args.file), "edits": [edit.to_json() for edit in done]})
        say(args, *(_line(edit) for edit in reversed(done)), *([] if done else ["no edit"]))
        return 0
    edit = undo(args.file)
    if args.json:
        answer({"file": str(args.file), "undone": None if edit is None else edit.to_json()})
    say(args, "there is no edit to undo" if edit is None else f"undone: {_line(edit)}")
    return 0


def run_pack(args: argparse.Namespace) -> int:
    """Drop deleted episodes for good."""
    from understudy.data.formats.editing import pack

    done = pack(args.file)
    if args.json:
        told = {"dropped_episodes": done.episodes, "forgotten_edits": done.edits}
        sizes = {"bytes_before": done.bytes_before, "bytes_after": done.bytes_after}
        answer({"file": str(args.file), **told, **sizes})
    say(
        args,
        f"{args.file}: {count(done.episodes, 'episode')} dropped for good; "
        f"{count(done.edits, 'edit')} can no longer be undone; "
        f"{done.bytes_before:,} bytes became {done.bytes_after:,}",
    )
    return 0


def _chosen(args: argparse.Namespace, *, deleted: bool = False) -> list[int]:
    """The numbers of the episodes that were asked for.

    Raises:
        ConfigError: None was asked for, where that would mean all of them.
        DemoError: There is none.
    """
    from understudy.data.formats.native import StoredEpisodes
    from understudy.data.selection import selection_words

    wanted = selection_of(args)
    if wanted.everything and not deleted:
        raise ConfigError(f"{args.tool}: which episodes? Say it, such as --episodes 3,5-9")
    stored = StoredEpisodes(args.file)
    entries = stored.entries(deleted=deleted)
    stored.close()
    if not entries and deleted:
        raise DemoError(f"{args.file}: no episode is deleted")
    places = wanted.places(entries)
    if not len(places):
        raise DemoError(
            f"{args.file}: none of the {len(entries)} episodes is as was asked: "
            f"{selection_words(wanted)}"
        )
    return [entries[int(place)].number for place in places]


def _tell(args: argparse.Namespace, edit: Edit | None, done: str, then: str = "") -> int:
    if args.json:
        answer({"file": str(args.file), "changed": [] if edit is None else [*edit.before]})
    if edit is None:
        say(args, f"{args.file}: nothing to change")
    else:
        what = f"{args.file}: {_named([*edit.before])} {done}"
        say(args, what, *([then.format(args.file)] if then else []))
    return 0


def _line(edit: Edit) -> str:
    return f"{edit.when}  {edit.verb:8}  {_named([*edit.before])}"


def _named(numbers: list[int]) -> str:
    some = ", ".join(map(str, numbers[:_MOST_NAMED]))
    more = f" and {len(numbers) - _MOST_NAMED:,} more" if len(numbers) > _MOST_NAMED else ""
    return f"episode{'s' * (len(numbers) > 1)} {some}{more}"
