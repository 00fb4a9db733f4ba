"""`understudy play`: watch a policy, in a window or as a film."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from understudy.commands.options import answer, common, count, positive, say
from understudy.errors import ConfigError

if TYPE_CHECKING:
    from understudy.data.actor import Actor
    from understudy.envs.gym import GymEnv
    from understudy.report.watching import Watched
    from understudy.run.policy import Policy

EPISODES, FILMED_EPISODES = 5, 1
FILMED_STEPS = 10_000
"""Of an episode that never ends."""

Way = Literal["window", "film", "words"]


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "play",
        help="watch a policy",
        description="Show a policy in its environment: in a window where there is a display, as a "
        "film with --film, else in words. Ctrl-C or closing the window ends it.",
    )
    verb.add_argument(
        "what", nargs="?", metavar="RUN", help="a run's folder or id, latest, or a policy"
    )
    verb.add_argument(
        "--with",
        dest="actor",
        choices=("scripted", "random"),
        help="watch these instead, in the run's environment or that of --env",
    )
    verb.add_argument("--env", metavar="ENV", help="where to play (where it learned)")
    verb.add_argument(
        "--episodes",
        type=positive,
        metavar="N",
        help=f"how many ({EPISODES}; {FILMED_EPISODES} in a film)",
    )
    verb.add_argument(
        "--steps",
        type=positive,
        metavar="N",
        help=f"stop after so many in all (no such limit; {FILMED_STEPS} in a film)",
    )
    verb.add_argument(
        "--sampled", action="store_true", help="draw actions instead of taking the likeliest"
    )
    verb.add_argument("--film", type=Path, metavar="FILE", help="make a film: FILE.webp or .gif")
    common(verb, seed=None)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show it."""
    from understudy.presets import EVALUATION_SEED

    if args.film is not None and args.film.suffix.lower() not in (".webp", ".gif"):
        raise ConfigError(f"{args.film}: a film is made as .webp or .gif")
    seed = EVALUATION_SEED if args.seed is None else args.seed
    policy, name = _cast(args)
    way = _way(args, policy, name, seed)
    shown: list[Watched] = []

    def over(episode: Watched) -> None:
        shown.append(episode)
        if not args.json:
            print(_row(len(shown), episode), flush=True)

    episodes = args.episodes or (FILMED_EPISODES if way == "film" else EPISODES)
    acts = args.actor or f"{'drawn' if args.sampled else 'likeliest'} actions of {args.what}"
    where = {"window": " in a window", "film": f" into {args.film}", "words": ""}[way]
    say(args, f"playing {count(episodes, 'episode')} of {name}{where}: {acts}", _HEAD)
    stopped, film = False, None
    mode = {"window": "human", "film": "rgb_array", "words": None}[way]
    with _stage(name, mode) as env:
        moments = _played(args, env, _actor(args, policy, env, seed), seed, episodes, over)
        try:
            film = _show(args, way, env, moments)
        except KeyboardInterrupt:
            stopped = True
        finally:
            moments.close()
    return _end(args, name, seed, way, shown, film, stopped=stopped)


def _cast(args: argparse.Namespace) -> tuple[Policy | None, str]:
    """The policy to play, unless another was asked for; and where.

    Raises:
        ConfigError: Neither can be told.
        CheckpointError: There is no such run.
    """
    if args.what is None and args.actor is None:
        raise ConfigError("play: what? Give a run, or --env ENV --with scripted")
    from understudy.run.folder import policy_of

    policy = None if args.what is None else policy_of(args.what, args.results)
    name = args.env or (None if policy is None else policy.facts.get("env"))
    if not name:
        learned = "" if args.what is None else f"{args.what}: was learned without an environment; "
        raise ConfigError(f"{learned or 'play: '}say where to play (--env ENV)")
    return (None if args.actor else policy), name


def _way(args: argparse.Namespace, policy: Policy | None, name: str, seed: int) -> Way:
    """How it can be shown, once it is known that the policy fits.

    Raises:
        ConfigError: The policy does not fit, or there is nothing to film.
        EnvError: There is no such environment.
    """
    from understudy.envs.display import has_display
    from understudy.presets import check_fit

    with _stage(name, None) as env:
        if policy is not None:
            check_fit(policy, env)
        _actor(args, policy, env, seed)
        modes = env.render_modes
    drawn = any(mode == "human" or mode.startswith("rgb_array") for mode in modes)
    if args.film is not None:
        if "rgb_array" not in modes:
            raise ConfigError(f"{name} has no pictures to film; without --film it is told in words")
        return "film"
    if drawn and has_display():
        return "window"
    if drawn:
        say(args, "there is no display here; --film FILE.webp makes a film")
    return "words"


@contextmanager
def _stage(name: str, mode: str | None) -> Iterator[GymEnv]:
    from understudy.envs.gym import GymEnv
    from understudy.report.film import off_screen

    if mode == "rgb_array":
        off_screen()
    with closing(GymEnv(name, 1, render_mode=mode)) as env:
        yield env


def _actor(args: argparse.Namespace, policy: Policy | None, env: GymEnv, seed: int) -> Actor:
    from understudy.presets import as_actor

    if policy is None:
        return as_actor(args.actor, env, seed)
    return policy.actor(seed if args.sampled else None)


def _played(
    args: argparse.Namespace, env: GymEnv, actor: Actor, seed: int, episodes: int, over: Any
) -> Any:
    from understudy.report.watching import watch

    most = args.steps or (None if args.film is None else FILMED_STEPS)
    return watch(env, actor, seed, episodes, over, most)


def _show(args: argparse.Namespace, way: Way, env: GymEnv, moments: Iterator[None]) -> Path | None:
    """Go through all moments; returns the film, if it is one."""
    from understudy.report.film import film
    from understudy.report.watching import pictures, window_closed
    from understudy.run.files import make_folders

    if way == "film":
        make_folders(args.film.parent)
        return film(pictures(env, moments), args.film, env.render_fps or 30.0)
    for _ in moments:
        if way == "window" and window_closed():
            break
    return None


def _end(
    args: argparse.Namespace,
    name: str,
    seed: int,
    way: Way,
    shown: list[Watched],
    film: Path | None,
    *,
    stopped: bool,
) -> int:
    """Say what was seen; returns the exit code."""
    whole = [episode.return_ for episode in shown if episode.end != "open"]
    mean = sum(whole) / len(whole) if whole else None
    if args.json:
        asked = {"policy": args.actor or args.what, "env": name, "seed": seed, "shown": way}
        told = {"episodes": [episode.to_json() for episode in shown], "mean_return": mean}
        answer({**asked, "sampled": args.sampled, **told, "film": film and str(film)})
    elif mean is not None and len(whole) > 1:
        say(args, f"{'mean':7}  {_figure(mean):>9}")
    if film is not None:
        say(args, f"film: {film}")
    return 130 if stopped else 0


_HEAD = f"{'episode':7}  {'return':>9}  {'steps':>6}  ended"


def _row(index: int, episode: Watched) -> str:
    ended = "not over" if episode.end == "open" else str(episode.end)
    return f"{index:<7}  {_figure(episode.return_):>9}  {episode.steps:>6,}  {ended}"


def _figure(return_: float) -> str:
    from understudy.report.standing import number

    return number(return_)
