"""`understudy compare`: learning curves of runs side by side, and what they came to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.commands.options import answer, results, say
from understudy.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from understudy.report.comparison import Group

PICTURE = "comparison.png"


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "compare",
        help="learning curves of runs, side by side",
        description="Draw what runs brought while they learned and say where they ended. Runs that "
        "differ only in their seeds are one group with an interval.",
    )
    verb.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder or id, or latest")
    verb.add_argument(
        "--reach",
        type=float,
        metavar="RETURN",
        help="say when this return was first reached (what the environment calls solved)",
    )
    verb.add_argument(
        "--by", choices=("steps", "seconds"), default="steps", help="over steps or CPU-seconds"
    )
    verb.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help=f"the picture (DIR/{PICTURE})"
    )
    results(verb)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, draw and tell."""
    from understudy.commands.finish import threshold
    from understudy.report.comparison import grouped, notes_of
    from understudy.report.comparison_table import evaluation_table, learning_table
    from understudy.report.return_curves import SECONDS, STEPS
    from understudy.report.tables import print_table

    if args.output is not None and args.output.suffix.lower() != ".png":
        raise ConfigError(f"{args.output}: a comparison is drawn as a picture: name it .png")
    groups = grouped(_runs(args))
    env = groups[0].runs[0].env
    goal = threshold(env) if args.reach is None else args.reach
    notes = notes_of(groups)
    over = STEPS if args.by == "steps" else SECONDS
    picture = _drawn(args, groups, goal, over, notes)
    if args.json:
        told = [group.to_json(goal) for group in groups]
        about = {"env": env, "by": args.by, "goal": goal, "notes": notes}
        answer({**about, "groups": told, "picture": None if picture is None else str(picture)})
        return 0
    for table in (learning_table(groups, goal, over), evaluation_table(groups)):
        if table is not None:
            print_table(table)
            print()
    for note in notes:
        say(args, f"note: {note}")
    if picture is not None:
        say(args, f"picture: {picture}")
    return 0


def _runs(args: argparse.Namespace) -> list[Any]:
    """Everything that was asked for, read.

    Raises:
        ConfigError: A run is named twice, or noted no time where that is asked for.
        CheckpointError: There is no such run.
    """
    from understudy.report.comparison import read_run
    from understudy.run.folder import find_run

    found: dict[Path, str] = {}
    for name in args.runs:
        path = find_run(args.results, name)
        if (twice := path.resolve()) in found:
            raise ConfigError(f"{found[twice]} and {name} are the same run")
        found[twice] = name
    runs = [read_run(Path(name).name or name, path) for path, name in found.items()]
    return [run.over_seconds() for run in runs] if args.by == "seconds" else runs


def _drawn(
    args: argparse.Namespace,
    groups: Sequence[Group],
    goal: float | None,
    over: str,
    notes: list[str],
) -> Path | None:
    """The picture; None with a note where none can be drawn and none was asked for.

    Raises:
        MissingExtraError: One was asked for.
    """
    from understudy.report.return_curves import draw_returns
    from understudy.run.files import make_folders

    path: Path = args.output or args.results / PICTURE
    curves = {group.label: group.curves for group in groups if group.curves}
    levels = {
        group.label: level
        for group in groups
        if not group.curves and (level := group.evaluated) is not None
    }
    make_folders(path.parent)
    try:
        draw_returns(curves, path, levels=levels, goal=goal, over=over)
    except MissingExtraError as error:
        if args.output is not None:
            raise
        notes.append(f"no picture: {error}")
        return None
    return path
