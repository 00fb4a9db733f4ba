"""`understudy demos cut`, `filter` and `split`: some of the demonstrations, in files of ours."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.commands.demos_convert import add_output, amounts, make_folder, refuse_existing
from understudy.commands.demos_reading import add_files, add_selection, read_chosen
from understudy.commands.options import answer, answers, positive, say, whole
from understudy.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from understudy.data.demos import Demos

_ROWS = re.compile(r"(-?\d{1,18})?:(-?\d{1,18})?")


def add(tools: Any) -> None:
    """Add the tools."""
    filter_ = tools.add_parser(
        "filter",
        help="keep some episodes",
        description="Write the episodes that are as asked into a file of ours.",
    )
    add_files(filter_)
    add_output(filter_)
    add_selection(filter_)
    answers(filter_)
    filter_.set_defaults(run=run_filter)
    cut = tools.add_parser(
        "cut",
        help="keep some steps of every episode",
        description="Write the steps A:B of every episode into a file of ours, counted as Python "
        "counts slices: 10: leaves out the first ten, :-10 the last ten. A part that does not "
        "reach the end is marked as truncated.",
    )
    add_files(cut)
    cut.add_argument("--rows", required=True, metavar="A:B", help="which; --rows=-50: the last 50")
    add_output(cut)
    add_selection(cut)
    answers(cut)
    cut.set_defaults(run=run_cut)
    split = tools.add_parser(
        "split",
        help="divide into several files",
        description="Divide whole episodes into files of ours beside OUT: OUT-train and OUT-test, "
        "drawn at random, or OUT-1, OUT-2 and so on in order.",
    )
    add_files(split)
    add_output(split)
    how = split.add_mutually_exclusive_group(required=True)
    how.add_argument("--test", metavar="SHARE", help="the share to test on: 0.2 or 20%%")
    how.add_argument("--every", type=positive, metavar="N", help="so many episodes in each file")
    split.add_argument("--seed", type=whole, default=0, metavar="N", help="of the drawing (0)")
    add_selection(split)
    answers(split)
    split.set_defaults(run=run_split)


def run_filter(args: argparse.Namespace) -> int:
    """Write the episodes that are as asked."""
    from understudy.commands.demos_reading import read, selection_of
    from understudy.data.selection import choose

    refuse_existing(args.output)
    wanted, all_ = selection_of(args), read(args)
    if wanted.everything:
        raise ConfigError("filter: by what? Say which episodes, such as --min-return 100")
    demos = choose(all_, wanted)
    _write(args, {args.output: demos}, of=len(all_))
    return 0


def run_cut(args: argparse.Namespace) -> int:
    """Write some steps of every episode."""
    from understudy.data.derived import cut

    refuse_existing(args.output)
    match = _ROWS.fullmatch(args.rows)
    if match is None:
        raise ConfigError(f"--rows {args.rows}: expected A:B, such as 10: or :-10 or 100:200")
    start, stop = (None if bound is None else int(bound) for bound in match.groups())
    whole_ = read_chosen(args)
    _write(args, {args.output: cut(whole_, start, stop)}, of=len(whole_))
    return 0


def run_split(args: argparse.Namespace) -> int:
    """Divide whole episodes into several files."""
    from understudy.data.derived import chosen

    share = None if args.test is None else _share(args.test)
    demos = read_chosen(args)
    places = _divided(len(demos), share, args.every, args.seed)
    paths = {_beside(args.output, name): where for name, where in places.items()}
    refuse_existing(*paths)
    _write(args, {path: chosen(demos, where) for path, where in paths.items()}, of=len(demos))
    return 0


def _divided(
    count: int, share: float | None, every: int | None, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Which episodes go into which file, by the end of its name."""
    import numpy as np

    from understudy.data.derived import shares

    if share is not None:
        train, test = shares(count, share, np.random.default_rng(seed))
        return {"train": train, "test": test}
    every = every or 1
    parts = range(0, count, every)
    digits = len(str(len(parts)))
    return {
        f"{number:0{digits}}": np.arange(first, min(first + every, count))
        for number, first in enumerate(parts, 1)
    }


def _share(text: str) -> float:
    """A share in (0, 1), as 0.2 or 20%.

    Raises:
        ConfigError: It is none.
    """
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ConfigError(
            f"--test {text}: expected a share above 0 and below 1, such as 0.2 or 20%"
        )
    return share


def _beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.stem}-{name}{path.suffix}")


def _write(args: argparse.Namespace, files: dict[Path, Demos], *, of: int) -> None:
    """Write the files, and say what is in them."""
    from understudy.data.derived import labeled
    from understudy.data.formats.native import write_demos

    told: list[dict[str, Any]] = []
    for path, demos in files.items():
        make_folder(path)
        write_demos(path, labeled(demos))
        told.append({"file": str(path), "episodes": len(demos), "steps": demos.num_steps})
        say(args, f"{path}: {amounts(demos)} (of {of})")
    if args.json:
        answer({"files": told, "of_episodes": of})
