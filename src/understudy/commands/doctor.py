"""`understudy doctor`: what is wrong with an environment, and what to do about it."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from understudy.commands.options import answer, answers, count, positive, whole

if TYPE_CHECKING:
    from understudy.envs.examine import Examination, Finding


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "doctor",
        help="say what is wrong with an environment",
        description="Play by chance in an environment and say what breaks its contract, what is "
        "doubtful, and what to do. Exit code 1 if something is broken.",
    )
    verb.add_argument("env", metavar="ENV", help="an id, or module:id")
    verb.add_argument("--steps", type=positive, default=1000, metavar="N", help="to play (1000)")
    verb.add_argument(
        "--slots", type=positive, default=8, metavar="N", help="meant to run side by side (8)"
    )
    verb.add_argument("--seed", type=whole, default=0, metavar="N", help="of everything random (0)")
    answers(verb)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examine and print."""
    from understudy.envs.examine import examine

    found = examine(args.env, steps=args.steps, seed=args.seed, slots=args.slots)
    if args.json:
        told = dataclasses.asdict(found)
        answer({"env": told.pop("env_id"), "sound": not found.broken, **told})
    else:
        _print(found)
    return 1 if found.broken else 0


def _print(found: Examination) -> None:
    from understudy.report.plain import printable, said

    lines = [*_facts(found), *_findings("broken", found.broken)]
    lines += _findings("doubtful", found.doubtful)
    if not found.broken:
        also = f", {count(len(found.doubtful), 'doubt')}" if found.doubtful else ""
        lines.append(f"{found.env_id} keeps its contract{also}")
    for line in lines:
        print(said(printable(line), sys.stdout))


def _facts(found: Examination) -> Iterator[str]:
    facts = found.facts
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    yield f"{found.env_id} ({versions})"
    yield f"  {facts['spec']}"
    if "episodes" in facts:
        yield f"  {_episodes(facts)}"
    if "reward_mean" in facts:
        low, mean, high = (facts[f"reward_{name}"] for name in ("min", "mean", "max"))
        yield f"  rewards from {low:.4g} to {high:.4g}, {mean:.4g} on average"
    for name, numbers in facts.get("observations", {}).items():
        never = f", {numbers['constant']} never change" if numbers["constant"] else ""
        yield f"  {name} from {numbers['min']:.4g} to {numbers['max']:.4g}{never}"
    if facts.get("begins_alike"):
        yield "  every episode begins with the same observation, whatever the seed"
    if "picture" in facts:
        height, width, _ = facts["picture"]
        yield f"  pictures of {width}x{height}"
    if "workers" in facts:
        keeper = f"{count(facts['workers'], 'worker')}" if facts["workers"] else "this process"
        yield f"  {count(facts['slots'], 'slot')} would be kept by {keeper}: {facts['why']}"


def _episodes(facts: dict[str, Any]) -> str:
    limit = facts["time_limit"]
    limited = "no time limit" if limit is None else f"time limit {limit:,}"
    if not facts["episodes"]:
        return f"{count(facts['steps'], 'step')} by chance, no episode ended; {limited}"
    return (
        f"{count(facts['steps'], 'step')} by chance: {count(facts['episodes'], 'episode')} of "
        f"{facts['mean_length']:.4g} steps on average, {facts['terminated']} terminated and "
        f"{facts['truncated']} truncated; {limited}"
    )


def _findings(kind: str, findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        yield from textwrap.wrap(f"{kind}: {finding.says}", 100, subsequent_indent="  ")
        yield from textwrap.wrap(
            finding.advice, 100, initial_indent="  -> ", subsequent_indent="     "
        )
