"""`understudy record`: demonstrations of an actor, straight into a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from understudy.commands.options import answer, common, positive, say


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
        help="scripted (default), random, or the folder of a run",
    )
    verb.add_argument("--episodes", type=positive, default=20, help="how many (20)")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to")
    verb.add_argument("--append", action="store_true", help="add to FILE, which must exist")
    verb.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="disturb actions on the way; what was meant is recorded beside what was done",
    )
    verb.add_argument("--slots", type=positive, default=1, help="environments side by side (1)")
    common(verb)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record, and say what came of it."""
    from understudy.data.formats.door import load_demos
    from understudy.data.summary import summarize
    from understudy.envs.gym import GymEnv

    env = GymEnv(args.env, min(args.slots, args.episodes))
    path = record_to(args, env)
    summary = summarize(load_demos(path))
    if args.json:
        answer({"file": str(path), **summary})
    returns = summary["returns"]
    say(
        args,
        f"{path}: {summary['episodes']} episodes, {summary['steps']} steps, "
        f"return {returns['mean']:.1f} on average ({returns['min']:.1f} to {returns['max']:.1f})",
        f"look at them: understudy demos show {path}",
    )
    return 0


def record_to(args: argparse.Namespace, env: Any) -> Path:
    """Record what the arguments ask for, and close the environment.

    Returns:
        The file.
    """
    from understudy.data.demos import Provenance
    from understudy.data.formats.recorder import DemoWriter
    from understudy.envs.actors import noisy
    from understudy.envs.env import one
    from understudy.presets import as_actor
    from understudy.run.record import record_episodes
    from understudy.run.tables import ProgressLine

    spec = one(env.behaviors)
    actor = as_actor(_run_or_word(args), env, args.seed)
    if args.noise:
        actor = noisy(actor, spec, args.noise, args.seed)
    provenance = Provenance(
        format="understudy", env_id=env.env_id, versions=env.versions, actor=args.actor
    )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    line = ProgressLine(args.episodes, unit="episodes", quiet=args.quiet or args.json)
    done = 0

    def saw(length: int, return_: float) -> None:
        nonlocal done
        done += 1
        line.see(done, {"return": return_, "length": length})

    try:
        with DemoWriter(args.output, spec, provenance, append=args.append) as writer:
            record_episodes(env, actor, args.episodes, writer.begin, args.seed, saw)
    finally:
        line.close()
        env.close()
    return args.output


def _run_or_word(args: argparse.Namespace) -> Any:
    """The actor's word, or the policy of the run that it names."""
    if args.actor in ("scripted", "random"):
        return args.actor
    from understudy.run.folder import policy_of

    return policy_of(args.actor, args.results).actor(args.seed)
