"""`understudy learn`: from demonstrations to a policy, with a report."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from understudy.commands.asked import add_settings, asked, differences
from understudy.commands.options import RESULTS, answer, count, results, say, whole
from understudy.errors import ConfigError

if TYPE_CHECKING:
    from understudy.data.demos import Demos
    from understudy.envs.gym import GymEnv
    from understudy.run.cloning import BCConfig, Cloning
    from understudy.run.evaluate import Evaluation
    from understudy.run.folder import RunFolder
    from understudy.run.session import Logs, Outcome

EPISODES = 20
"""Episodes that a finished run is evaluated on, where there is an environment."""


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "learn",
        help="learn a policy from demonstrations",
        description="Clone what was shown, in an environment (understudy learn ENV --demos FILE) "
        "or without one (understudy learn FILE).",
    )
    add_settings(verb)
    verb.add_argument("--resume", action="store_true", help="go on with the run --run-id")
    verb.add_argument("--force", action="store_true", help="start over; the old run is kept aside")
    verb.add_argument(
        "--episodes",
        type=whole,
        default=EPISODES,
        metavar="N",
        help=f"to evaluate on at the end ({EPISODES}; 0 for none)",
    )
    results(verb, run_id=True)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Learn, evaluate and report."""
    return _go_on(args) if args.resume else _begin(args)


def _begin(args: argparse.Namespace) -> int:
    from understudy.run.folder import RunFolder, free_run_id
    from understudy.settings import to_yaml

    config = _learnable(asked(args), args.words)
    # Everything that can be wrong with what was given is found before a folder is made for it.
    ready = prepare(config)
    stem = f"{config.env or Path(config.demos[0]).stem}-{config.method}"
    run_id = free_run_id(args.results, stem) if args.run_id is None else args.run_id
    with RunFolder.create(
        args.results, run_id, to_yaml(config), force=args.force, seed=config.seed
    ) as folder:
        if folder.moved:
            say(args, f"the old run is now {folder.moved}")
        return learn_and_report(args, folder, ready)


def _go_on(args: argparse.Namespace) -> int:
    from understudy import settings
    from understudy.run.cloning import BCConfig
    from understudy.run.folder import RunFolder, find_run

    if args.run_id is None:
        raise ConfigError("--resume: which run? Give --run-id NAME (or latest)")
    if args.force:
        raise ConfigError("--resume goes on and --force starts over: give one of them")
    begun = settings.read(BCConfig, files=[find_run(args.results, args.run_id) / "config.yaml"])
    config = asked(args, begun)
    changed = differences(begun, dataclasses.replace(config, steps=begun.steps))
    if changed:
        raise ConfigError(
            f"--resume goes on with the settings that the run was begun with, but there "
            f"{'; '.join(changed)}: leave out what differs (only --steps may be another), or "
            "begin another run"
        )
    ready = prepare(config)
    with RunFolder.open(args.results, args.run_id, seed=config.seed) as folder:
        if config != begun:
            folder.put_config(settings.to_yaml(config))
        return learn_and_report(args, folder, ready)


class Ready(NamedTuple):
    """Everything that a run needs, found to fit together before a folder is made for it.

    Attributes:
        config: The settings.
        demos: What was shown.
        env: The environment, if there is one.
        cloning: The run.
        logs: What it tells.
    """

    config: BCConfig
    demos: Demos
    env: GymEnv | None
    cloning: Cloning
    logs: Logs


def prepare(config: BCConfig) -> Ready:
    """Load and make everything.

    Raises:
        ConfigError, DemoError, EnvError: Something cannot be had, or does not fit.
    """
    from understudy.data.formats.door import load_demos
    from understudy.envs.gym import GymEnv
    from understudy.run.cloning import Cloning
    from understudy.run.session import Logs

    env = None if config.env is None else GymEnv(config.env, 1)
    spec = None if env is None else env.behaviors["agent"]
    demos = load_demos(list(config.demos), alignment=config.alignment, spec=spec)
    logs = Logs()
    cloning = Cloning(spec or demos.spec, demos, config, logs.note)
    return Ready(config, demos, env, cloning, logs)


def learn_and_report(
    args: argparse.Namespace, folder: RunFolder, ready: Ready, against: Sequence[str] = ("random",)
) -> int:
    """Learn in a folder, evaluate what came out and write the report.

    Args:
        args: Has `quiet`, `json`, `results` and `episodes`.
        folder: The run's.
        ready: What it needs.
        against: Who else plays the same starts, to compare with: `scripted`, `random`. Where no
            expert plays, what the demonstrations brought stands in for one.

    Returns:
        The exit code.

    Raises:
        KeyboardInterrupt: Somebody stopped it, after learning or twice; says how to go on.
    """
    elsewhere = "" if args.results == RESULTS else f" --results {args.results}"
    onward = f"go on: understudy learn --resume --run-id {folder.run_id}{elsewhere}"
    try:
        outcome = _learn(args, folder, ready)
        if outcome.interrupted:
            say(args, f"stopped at step {outcome.steps}; {onward}")
            return _finish(args, folder, outcome, {}, 130)
        return _report(args, folder, ready, outcome, against)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(onward) from None


def _learn(args: argparse.Namespace, folder: RunFolder, ready: Ready) -> Outcome:
    from understudy.report.progress_line import ProgressLine
    from understudy.run.session import learn_in
    from understudy.run.watch import Told

    amount = f"{count(len(ready.demos), 'episode')} ({count(ready.demos.num_steps, 'step')})"
    say(args, f"learning from {amount} in {folder.path}")
    line = ProgressLine(ready.config.steps, quiet=args.quiet or args.json)
    ready.logs.takers.append(lambda found: line.see(found["step"], _worth_showing(found)))
    try:
        outcome = learn_in(folder, ready.cloning, ready.logs, [Told(line.see)])
    finally:
        line.close()
    for note in (*folder.notes, *filter(None, [outcome.note])):
        say(args, f"note: {note}")
    return outcome


def _report(
    args: argparse.Namespace,
    folder: RunFolder,
    ready: Ready,
    outcome: Outcome,
    against: Sequence[str],
) -> int:
    from understudy.commands.finish import evaluate_all, judge_in_turn, report, shown_in

    _, demos, env, cloning, _ = ready
    if env is None:
        outcome = dataclasses.replace(outcome, folds=judge_in_turn(args, demos, ready.config))
    evaluations = evaluate_all(args, folder, env, against)
    if "scripted" not in against:
        evaluations |= shown_in(demos, env, evaluations)
    report(args, folder, cloning, demos, outcome, evaluations)
    return _finish(args, folder, outcome, evaluations, 0)


def _learnable(config: BCConfig, words: Sequence[str]) -> BCConfig:
    """The same settings.

    Raises:
        ConfigError: They name nothing to learn from.
    """
    if config.demos:
        return config
    taken = f"'{config.env}' is no file or folder here, so it is taken for an environment; "
    raise ConfigError(
        f"{taken if config.env in words else 'learn: '}there is nothing to learn from: give "
        "demonstrations (--demos FILE), or make some first: understudy record ENV -o FILE"
    )


def _worth_showing(line: Any) -> dict[str, float]:
    short = {"loss": "loss", "held_out/log_prob": "held-out", "held_out/accuracy": "accuracy"}
    return {word: line[name] for name, word in short.items() if name in line}


def _finish(
    args: argparse.Namespace,
    folder: RunFolder,
    outcome: Outcome,
    evaluations: dict[str, Evaluation],
    code: int,
) -> int:
    if args.json:
        answer(
            {
                "run": str(folder.path),
                **outcome.to_json(),
                "evaluations": {name: e.summary() for name, e in evaluations.items()},
            }
        )
    return code
