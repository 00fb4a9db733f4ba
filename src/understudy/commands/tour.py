"""`understudy tour`: the whole road once, from a demonstrator to an evaluated policy."""

from __future__ import annotations

import argparse
from typing import Any

from understudy.commands.options import common, count, positive, say


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "tour",
        help="record, clone, evaluate and report, in one go",
        description="Record demonstrations from a scripted expert, clone them, evaluate expert, "
        "random and learned policy, and write a report with pictures.",
    )
    verb.add_argument("env", nargs="?", default="LunarLander-v3", metavar="ENV")
    verb.add_argument("--demos", type=positive, default=20, metavar="N", help="to record (20)")
    verb.add_argument("--episodes", type=positive, default=100, help="to evaluate on (100)")
    verb.add_argument("--steps", type=positive, metavar="N", help="updates in all (4000)")
    common(verb, run_id=True)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Go the road."""
    from understudy import settings
    from understudy.commands.finish import WHO
    from understudy.commands.job import do, prepare
    from understudy.commands.record import record_to
    from understudy.envs.gym import GymEnv
    from understudy.presets import as_actor
    from understudy.run.cloning import BCConfig
    from understudy.run.folder import RunFolder, free_run_id

    env = GymEnv(args.env, 1)
    as_actor("scripted", env, args.seed)  # An error here comes before anything is written.
    stem = f"{env.env_id}-tour"
    run_id = free_run_id(args.results, stem) if args.run_id is None else args.run_id
    file = args.results / run_id / "demonstrations.demos"
    steps = [] if args.steps is None else [f"steps={args.steps}"]
    base: dict[str, Any] = {"env": args.env, "demos": [str(file)], "seed": args.seed}
    config = settings.read(BCConfig, base=base, overrides=steps)
    with RunFolder.create(args.results, run_id, settings.to_yaml(config), seed=args.seed) as folder:
        say(
            args,
            f"recording {count(args.demos, 'demonstration')} of a scripted expert in {args.env}",
        )
        record_to(env, file, "scripted", args.demos, seed=args.seed, quiet=args.quiet or args.json)
        return do(prepare(config), args, folder, list(WHO))
