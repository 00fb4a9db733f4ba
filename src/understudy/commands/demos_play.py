"""`understudy demos play`: watch demonstrations, and see whether the environment agrees."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from understudy.commands.demos_reading import add_files, add_selection, read_chosen
from understudy.commands.options import answer, answers, count, positive, say
from understudy.errors import ConfigError, EnvError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from understudy.data.demos import Demos
    from understudy.data.episode import Episode
    from understudy.envs.retrace import Retraced, Stage

EPISODES = 5
FPS = 30.0
"""Of recorded pictures: a recording does not say how fast it was."""
Way = Literal["window", "film", "words"]
Found = list[tuple[int, "Episode", "Retraced | None"]]
"""Number, what was recorded, and what came back; None where there was no seed to begin from."""


def add(tools: Any) -> None:
    """Add the tool."""
    play = tools.add_parser(
        "play",
        help="watch them, or do them again in their environment",
        description="Show the pictures that were recorded, or do the recorded actions again from "
        "the recorded seeds in the environment: in a window where there is a display, or as a "
        "film. --replay only compares what comes back with what was recorded.",
    )
    add_files(play)
    play.add_argument(
        "--env", metavar="ENV", help="do the actions again there (where they were recorded)"
    )
    play.add_argument(
        "--replay",
        action="store_true",
        help="a table: from which step on the environment differs, in what, and how far",
    )
    play.add_argument(
        "--tolerance",
        type=float,
        metavar="X",
        help="numbers closer than X times their size (at least X) are the same (1e-5)",
    )
    play.add_argument("--film", type=Path, metavar="FILE", help="make a film: FILE.webp or .gif")
    play.add_argument(
        "--first",
        type=positive,
        metavar="N",
        help=f"only the first N of them ({EPISODES}; all with --replay)",
    )
    add_selection(play)
    answers(play)
    play.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show them, or compare."""
    from understudy.data.catalog import numbers_of
    from understudy.report.frames import cameras

    _check_words(args)
    demos = read_chosen(args)
    amount = args.first or (len(demos) if args.replay else EPISODES)
    shown = list(zip(numbers_of(demos), range(min(amount, len(demos))), strict=False))
    pictured = bool(cameras(demos.spec)) and not args.env and not args.replay
    if pictured:
        return _show_recorded(args, demos, shown)
    return _do_again(args, demos, shown)


def _check_words(args: argparse.Namespace) -> None:
    if args.film is not None and args.film.suffix.lower() not in (".webp", ".gif"):
        raise ConfigError(f"{args.film}: a film is made as .webp or .gif")
    if args.film is not None and args.replay:
        raise ConfigError("--replay compares and shows nothing; make the film without it")
    if args.tolerance is not None and not 0 <= args.tolerance < math.inf:
        raise ConfigError(f"--tolerance {args.tolerance}: expected a number, 0 or more")


def _show_recorded(args: argparse.Namespace, demos: Demos, shown: Sequence[tuple[int, int]]) -> int:
    """The pictures that were recorded: a film, or strips of letters."""
    from understudy.report.film import film
    from understudy.report.frames import cameras, recorded

    camera = cameras(demos.spec)[0]
    if args.film is None:
        from understudy.report.strips import print_strips

        if not args.json:
            print_strips(demos, [place for _, place in shown], sys.stdout)
        say(args, "--film FILE.webp makes a film; --env ENV does the actions again")
        made = None
    else:
        _make_folder(args.film)
        frames = recorded(demos.spec, camera, (demos.episodes[place] for _, place in shown))
        made = film(frames, args.film, FPS)
        say(args, f"film: {made}, what '{camera}' saw")
    if args.json:
        numbers = [number for number, _ in shown]
        answer(
            {"shown": "frames", "camera": camera, "episodes": numbers, "film": made and str(made)}
        )
    return 0


def _do_again(args: argparse.Namespace, demos: Demos, shown: Sequence[tuple[int, int]]) -> int:
    """The recorded actions in the environment, watched or compared."""
    from understudy.envs.retrace import TOLERANCE

    name = args.env or demos.provenance.env_id
    if not name:
        raise ConfigError("the recording does not say its environment; say it with --env ENV")
    way = _way(args, demos, name, shown)
    tolerance = TOLERANCE if args.tolerance is None else args.tolerance
    mode = {"window": "human", "film": "rgb_array"}.get(way)
    where = {"window": " in a window", "film": f" into {args.film}"}.get(way, "")
    say(args, f"doing {count(len(shown), 'episode')} again in {name}{where}")
    found: Found = []
    film, stopped = None, False
    with ExitStack() as stack:
        stage = stack.enter_context(_stage(demos, name, mode))
        rows = _rows(stage, demos, shown, tolerance, found)
        try:
            film = _watch(args, way, stage, rows)
        except KeyboardInterrupt:
            stopped = True
    _tell(args, name, way, tolerance, found, film)
    return 130 if stopped else 0


def _way(
    args: argparse.Namespace, demos: Demos, name: str, shown: Sequence[tuple[int, int]]
) -> Way:
    """How it can be watched, once it is known that the environment fits."""
    from understudy.envs.display import has_display

    with _stage(demos, name, None) as stage:
        modes = stage.render_modes
        if difference := demos.spec.difference(stage.spec):
            raise EnvError(f"{name} is not where this was recorded: {difference} (there: {name})")
    if args.replay:
        return "words"
    if args.film is not None:
        if "rgb_array" not in modes:
            raise ConfigError(f"{name} has no pictures to film; --replay compares without any")
        if all(demos.episodes[place].seed is None for _, place in shown):
            raise ConfigError("nothing to film: no seed was recorded to begin from")
        return "film"
    if "human" in modes and has_display():
        return "window"
    if modes:
        say(args, "there is no display here; --film FILE.webp makes a film")
    return "words"


def _stage(demos: Demos, name: str, mode: str | None) -> Stage:
    from understudy.envs.retrace import Stage
    from understudy.report.film import off_screen

    if mode == "rgb_array":
        off_screen()
    entities = [obs.shape[0] for obs in demos.spec.obs.values() if obs.kind == "entities"]
    return Stage(name, render_mode=mode, max_entities=max(entities, default=None))


def _rows(
    stage: Stage, demos: Demos, shown: Sequence[tuple[int, int]], tolerance: float, found: Found
) -> Iterator[None]:
    """Goes through all steps of all episodes, and keeps what was found of each."""
    from understudy.envs.retrace import retracing

    for number, place in shown:
        episode = demos.episodes[place]
        came = None if episode.seed is None else (yield from retracing(stage, episode, tolerance))
        found.append((number, episode, came))


def _watch(args: argparse.Namespace, way: Way, stage: Stage, rows: Iterator[None]) -> Path | None:
    """Go through all steps; returns the film, if it is one."""
    from understudy.report.film import film
    from understudy.report.watching import window_closed

    if way == "film":
        _make_folder(args.film)
        return film(_pictures(stage, rows), args.film, stage.render_fps or FPS)
    for _ in rows:
        if way == "window" and window_closed():
            break
    return None


def _pictures(stage: Stage, rows: Iterator[None]) -> Iterator[NDArray[np.uint8]]:
    for _ in rows:
        yield stage.render()


def _make_folder(path: Path) -> None:
    from understudy.run.files import make_folders

    make_folders(path.parent)


def _tell(
    args: argparse.Namespace, name: str, way: Way, tolerance: float, found: Found, film: Path | None
) -> None:
    """Say how far the environment reproduced each episode."""
    if args.json:
        rows = [
            {
                "number": number,
                "steps": len(episode),
                "return": episode.return_,
                "seed": episode.seed,
                "again": None if came is None else came.to_json(),
            }
            for number, episode, came in found
        ]
        made = film and str(film)
        answer({"env": name, "shown": way, "tolerance": tolerance, "episodes": rows, "film": made})
        return
    from understudy.report.plain import said
    from understudy.report.retraced import retraced_lines

    print(*(said(line, sys.stdout) for line in retraced_lines(found, tolerance)), sep="\n")
    if film is not None:
        say(args, f"film: {film}")
