"""`understudy evaluate`: how good a policy is where it acts."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING, Any

from understudy.commands.options import answer, common, count, positive, say
from understudy.errors import ConfigError

if TYPE_CHECKING:
    from understudy.run.policy import Policy

SLOTS = 10
"""Episodes that are played side by side, at most."""


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "evaluate",
        help="play episodes with a learned policy",
        description="Play a fixed number of episodes with the likeliest actions and with drawn "
        "ones, and say what they brought under the environment's own reward.",
    )
    verb.add_argument("what", metavar="RUN", help="a run's folder or id, latest, or a policy")
    verb.add_argument("--env", metavar="ENV", help="where to play (where it learned)")
    verb.add_argument("--episodes", type=positive, default=100, metavar="N", help="of each (100)")
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
    from understudy.envs.gym import GymEnv
    from understudy.presets import EVALUATION_SEED, as_actor, check_fit, evaluate
    from understudy.report.told import print_played

    policy = _policy(args)
    name = args.env or policy.facts.get("env")
    if not name:
        raise ConfigError(
            f"{args.what}: was learned without an environment; say where to play (--env ENV)"
        )
    seed = EVALUATION_SEED if args.seed is None else args.seed
    play = {"deterministic": (policy, True), "sampled": (policy, False)}
    play |= {("expert" if w == "scripted" else w): (w, True) for w in args.against}
    evaluations = {}
    with closing(GymEnv(name, min(SLOTS, args.episodes))) as env:
        check_fit(policy, env)
        for word in args.against:
            as_actor(word, env, seed)  # Nobody should play before it is known that all can.
        for who, (actor, likeliest) in play.items():
            say(args, f"playing {count(args.episodes, 'episode')} of {name}: {who}")
            evaluations[who] = evaluate(
                actor, env, episodes=args.episodes, seed=seed, deterministic=likeliest
            )
    if args.json:
        found = {name: e.summary() for name, e in evaluations.items()}
        asked = {"policy": args.what, "env": name, "seed": seed, "episodes": args.episodes}
        answer({**asked, **found})
    else:
        print_played(evaluations)
    return 0


def _policy(args: argparse.Namespace) -> Policy:
    from understudy.run.folder import find_run, policy_of
    from understudy.run.policy import Policy

    if args.weights:
        return Policy.load(find_run(args.results, args.what) / f"policy-{args.weights}")
    return policy_of(args.what, args.results)
