"""`understudy demos convert` and `merge`: the same demonstrations in another file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.commands.demos_reading import add_alignment, add_files, add_selection, read_chosen
from understudy.commands.options import answer, answers, count, say
from understudy.errors import ConfigError, DemoError

if TYPE_CHECKING:
    from understudy.data.demos import Demos
    from understudy.data.formats.writers import Writer

OURS = "understudy"


def add(tools: Any) -> None:
    """Add the tools."""
    convert = tools.add_parser(
        "convert",
        help="write them in another format",
        description="Write demonstrations in another format. What it has no place for is said.",
    )
    add_files(convert)
    add_output(convert)
    convert.add_argument(
        "--to",
        metavar="FORMAT",
        help="such as minari (a wrong one lists them); default: by OUT's ending, else ours",
    )
    add_selection(convert)
    answers(convert)
    convert.set_defaults(run=run_convert)
    merge = tools.add_parser(
        "merge",
        help="several files as one of ours",
        description="Write what is in several files into one of ours, in the order given. Every "
        "file's own provenance is kept, and so are labels; an episode without one is labeled "
        "FILE#NUMBER.",
    )
    merge.add_argument("files", nargs="+", type=Path, metavar="FILE", help="file or folder")
    add_alignment(merge)
    add_output(merge)
    answers(merge)
    merge.set_defaults(run=run_merge)


def add_output(tool: argparse.ArgumentParser) -> None:
    """Add `-o`."""
    tool.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="where to; must not exist"
    )


def run_convert(args: argparse.Namespace) -> int:
    """Write it, and say what was left out."""
    name, writer = _writer(args.to, args.output)
    refuse_existing(args.output)
    demos = read_chosen(args)
    left_out = written(writer, args.output, demos)
    if args.json:
        amount = {"episodes": len(demos), "steps": demos.num_steps}
        answer({"file": str(args.output), "format": name, **amount, "left_out": list(left_out)})
    say(
        args,
        f"{args.output}: {amounts(demos)}, format {name}",
        *(f"left out, for the format has no place for it: {what}" for what in left_out),
    )
    return 0


def run_merge(args: argparse.Namespace) -> int:
    """Write all of them into one file."""
    from understudy.data.derived import labeled
    from understudy.data.formats.door import load_demos
    from understudy.data.formats.native import write_demos

    refuse_existing(args.output)
    sets = [labeled(load_demos(path, alignment=args.alignment or "auto")) for path in args.files]
    for path, other in zip(args.files[1:], sets[1:], strict=True):
        if difference := sets[0].spec.difference(other.spec):
            raise DemoError(f"{path} does not fit {args.files[0]}: {difference}; merge neither")
    make_folder(args.output)
    write_demos(args.output, *sets)
    episodes, steps = sum(map(len, sets)), sum(each.num_steps for each in sets)
    if args.json:
        parts = [
            {"file": str(p), "episodes": len(d)} for p, d in zip(args.files, sets, strict=True)
        ]
        answer({"file": str(args.output), "episodes": episodes, "steps": steps, "from": parts})
    which = f"{count(len(sets), 'file')}: {count(episodes, 'episode')}, {count(steps, 'step')}"
    say(args, f"{args.output}: {which}")
    return 0


def written(writer: Writer, path: Path, demos: Demos) -> tuple[str, ...]:
    """Writes demonstrations; returns what was left out.

    Raises:
        DemoError: It was not written, and nothing is there.
    """
    make_folder(path)
    return writer.write(path, demos)


def amounts(demos: Demos) -> str:
    """Such as `3 episodes, 1,500 steps`."""
    return f"{count(len(demos), 'episode')}, {count(demos.num_steps, 'step')}"


def make_folder(path: Path) -> None:
    """The folder that a file will lie in.

    Raises:
        CheckpointError: It cannot be made.
    """
    from understudy.run.files import make_folders

    make_folders(path.parent)


def refuse_existing(*paths: Path) -> None:
    """Refuse before anything is read: what is written must not exist.

    Raises:
        DemoError: One of them does.
    """
    from understudy.data.formats.container import refuse_existing as refuse

    for path in paths:
        refuse(path)


def _writer(asked: str | None, path: Path) -> tuple[str, Writer]:
    """What writes the format that was asked for.

    Raises:
        ConfigError: There is none, or it cannot be told.
    """
    from understudy.data.formats.writers import WRITERS

    if asked is not None and asked not in WRITERS:
        every = "; ".join(f"{name}: {writer.about}" for name, writer in WRITERS.items())
        raise ConfigError(f"--to {asked}: there is no such format; there are {every}")
    if asked is not None:
        return asked, WRITERS[asked]
    ending = path.suffix.lower()
    fitting = [name for name, writer in WRITERS.items() if ending and writer.suffix == ending]
    if len(fitting) > 1:
        raise ConfigError(f"{path}: is that {' or '.join(fitting)}? Say it with --to FORMAT")
    name = fitting[0] if fitting else OURS
    return name, WRITERS[name]
