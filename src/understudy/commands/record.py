"""`understudy record`: demonstrations of an actor, straight into a file."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.commands.options import answer, common, count, positive, say

if TYPE_CHECKING:
    from understudy.data.actor import Actor
    from understudy.envs.env import Env


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "record",
        help="record demonstrations",
        description="Record episodes of an actor. Killed at any moment, the file keeps every step.",
    )
    verb.add_argument("env", metavar="ENV", help="Gymnasium id, or module:id")
    verb.add_argument(
        "--with",
        dest="actor",
        default="scripted",
        metavar="ACTOR",
        help="scripted (default), random, or a run's folder or id",
    )
    verb.add_argument(
        "--sampled", action="store_true", help="a run draws its actions; by default the likeliest"
    )
    verb.add_argument("--episodes", type=positive, default=20, metavar="N", help="how many (20)")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to")
    verb.add_argument("--append", action="store_true", help="add to FILE, which must exist")
    verb.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="disturb actions on the way; what was meant is recorded beside what was done",
    )
    verb.add_argument(
        "--slots", type=positive, default=1, metavar="N", help="environments side by side (1)"
    )
    common(verb)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record, and say what came of it."""
    from understudy.data.formats.door import load_demos
    from understudy.data.summary import summarize
    from understudy.envs.gym import GymEnv

    env = GymEnv(args.env, min(args.slots, args.episodes))
    record_to(
        env,
        args.output,
        _word_or_policy(args),
        args.episodes,
        seed=args.seed,
        noise=args.noise,
        append=args.append,
        quiet=args.quiet or args.json,
    )
    summary = summarize(load_demos(args.output))
    if args.json:
        answer({"file": str(args.output), **summary})
    returns = summary["returns"]
    brought = (
        f", return {returns['mean']:.1f} on average ({returns['min']:.1f} to {returns['max']:.1f})"
        if returns
        else ""
    )
    say(
        args,
        f"{args.output}: {count(summary['episodes'], 'episode')}, "
        f"{count(summary['steps'], 'step')}{brought}",
        f"look at them: understudy demos show {args.output}",
    )
    return 0


def record_to(
    env: Env,
    path: Path,
    who: Actor | str,
    episodes: int,
    *,
    seed: int,
    noise: float = 0.0,
    append: bool = False,
    quiet: bool = False,
) -> None:
    """Record episodes into a file, and close the environment.

    Args:
        env: Where.
        path: The file.
        who: An actor, or its word.
        episodes: How many.
        seed: Of the environment and the actor.
        noise: How much actions are disturbed on the way, see `NoisyActor`.
        append: Add to the file.
        quiet: Show no progress.

    Raises:
        DemoError: The file cannot be written, or exists, or with `append` does not.
        KeyboardInterrupt: Somebody stopped it; says what has become of the recording.
    """
    from understudy.data.demos import Provenance
    from understudy.data.formats.recorder import DemoWriter
    from understudy.envs.actors import noisy
    from understudy.envs.env import one
    from understudy.presets import as_actor
    from understudy.report.progress_line import ProgressLine
    from understudy.run.files import make_folders
    from understudy.run.record import record_episodes

    spec = one(env.behaviors)
    actor = as_actor(who, env, seed)
    if noise:
        actor = noisy(actor, spec, noise, seed)
    name = who if isinstance(who, str) else type(who).__name__
    provenance = Provenance(
        format="understudy", env_id=env.env_id, versions=env.versions, actor=name
    )
    make_folders(path.parent)
    line = ProgressLine(episodes, quiet=quiet, label="record", unit="episodes")
    done = itertools.count(1)

    def saw(length: int, return_: float) -> None:
        line.see(next(done), {"return": return_, "length": length})

    try:
        with DemoWriter(path, spec, provenance, append=append) as writer:
            record_episodes(env, actor, episodes, writer.begin, seed, saw)
    except KeyboardInterrupt:
        if not path.exists():
            raise
        raise KeyboardInterrupt(f"{path} keeps what was recorded; go on with --append") from None
    finally:
        line.close()
        env.close()


def _word_or_policy(args: argparse.Namespace) -> Actor | str:
    """The actor's word, or the policy of the run that it names."""
    if args.actor in ("scripted", "random"):
        return args.actor
    from understudy.run.folder import policy_of

    return policy_of(args.actor, args.results).actor(args.seed if args.sampled else None)
