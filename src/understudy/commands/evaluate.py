"""`understudy evaluate`: how good a policy is where it acts."""

from __future__ import annotations

import argparse
from typing import Any

from understudy.commands.options import answer, common, positive, say
from understudy.errors import ConfigError


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "evaluate",
        help="play episodes with a learned policy",
        description="Play a fixed number of episodes with the likeliest actions and with drawn "
        "ones, and say what they brought under the environment's own reward.",
    )
    verb.add_argument("what", metavar="RUN", help="a run's folder or id, latest, or a policy")
    verb.add_argument("--env", metavar="ENV", help="another environment than it learned in")
    verb.add_argument("--episodes", type=positive, default=100, help="of each (100)")
    verb.add_argument(
        "--against",
        nargs="+",
        default=[],
        choices=("scripted", "random"),
        help="others to play the same starts",
    )
    verb.add_argument(
        "--weights",
        choices=("last", "best"),
        help="of the run's end, or likest on held-out episodes; by default what the run kept",
    )
    common(verb, seed=None)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play and print."""
    from understudy.presets import EVALUATION_SEED, evaluate
    from understudy.report.tables import evaluation_table, print_table
    from understudy.run.folder import find_run, policy_of
    from understudy.run.policy import Policy

    if args.weights:
        policy = Policy.load(find_run(args.results, args.what) / f"policy-{args.weights}")
    else:
        policy = policy_of(args.what, args.results)
    env = args.env or policy.facts.get("env")
    if not env:
        raise ConfigError(
            f"{args.what}: was learned without an environment; say where to play (--env ENV)"
        )
    seed = EVALUATION_SEED if args.seed is None else args.seed
    play = {"deterministic": (policy, True), "sampled": (policy, False)}
    play |= {("expert" if w == "scripted" else w): (w, True) for w in args.against}
    evaluations = {}
    for name, (who, likeliest) in play.items():
        say(args, f"playing {args.episodes} episodes of {env}: {name}")
        evaluations[name] = evaluate(
            who, env, episodes=args.episodes, seed=seed, deterministic=likeliest
        )
    if args.json:
        found = {name: e.summary() for name, e in evaluations.items()}
        answer({"policy": args.what, "env": env, "seed": seed, **found})
    else:
        print_table(evaluation_table(evaluations))
    return 0
