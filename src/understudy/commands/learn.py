"""`understudy learn`: from demonstrations to a policy, with a report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from understudy.commands.demos import add_alignment
from understudy.commands.options import answer, common, positive, say, whole
from understudy.errors import ConfigError

if TYPE_CHECKING:
    from understudy.data.demos import Demos
    from understudy.envs.gym import GymEnv
    from understudy.run.cloning import BCConfig
    from understudy.run.evaluate import Evaluation
    from understudy.run.folder import RunFolder
    from understudy.run.session import Outcome

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
    verb.add_argument(
        "words",
        nargs="*",
        metavar="ENV|FILE|NAME=VALUE",
        help="an environment, demonstrations, and settings such as net.hidden=[64,64]",
    )
    verb.add_argument(
        "--demos", nargs="+", default=[], metavar="FILE", help="demonstrations (files, folders)"
    )
    verb.add_argument("--with", dest="method", choices=("bc",), default="bc", help="how: bc")
    verb.add_argument("-c", "--config", action="append", type=Path, default=[], metavar="FILE")
    verb.add_argument("--steps", type=positive, help="updates in all")
    verb.add_argument("--best", metavar="SHARE", help="learn from the best episodes only: 10%%")
    verb.add_argument("--resume", action="store_true", help="go on with the run --run-id")
    verb.add_argument("--force", action="store_true", help="start over; the old run is kept aside")
    verb.add_argument(
        "--episodes", type=whole, default=EPISODES, help=f"to evaluate on at the end ({EPISODES})"
    )
    add_alignment(verb)
    common(verb, seed=None, run_id=True)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Learn, evaluate and report."""
    from understudy.run.folder import RunFolder, free_run_id
    from understudy.settings import to_yaml

    if args.resume:
        if not args.run_id:
            raise ConfigError("--resume: which run? Give --run-id NAME (or latest)")
        with RunFolder.open(args.results, args.run_id, seed=args.seed) as folder:
            return learn_and_report(args, folder, _resumed(args, folder))
    config = _config(args)
    # Everything that can be wrong with what was given is found before a folder is made for it.
    demos, env = _materials(config)
    stem = f"{config.env or Path(config.demos[0]).stem}-{config.method}"
    run_id = args.run_id or free_run_id(args.results, stem)
    with RunFolder.create(
        args.results, run_id, to_yaml(config), force=args.force, seed=config.seed
    ) as folder:
        if folder.moved:
            say(args, f"the old run is now {folder.moved}")
        return learn_and_report(args, folder, config, (demos, env))


def learn_and_report(
    args: argparse.Namespace,
    folder: RunFolder,
    config: BCConfig,
    materials: tuple[Demos, GymEnv | None] | None = None,
    against: Sequence[str] = (),
) -> int:
    """Learn in a folder, evaluate what came out and write the report.

    Args:
        args: Has `quiet`, `json` and `episodes`.
        folder: The run's.
        config: Its settings.
        materials: Demonstrations and environment; by default those of the settings.
        against: Who else plays the same starts: `scripted`, `random`.

    Returns:
        The exit code.
    """
    from understudy.commands.finish import evaluate_all, judge_in_turn, report
    from understudy.report.progress_line import ProgressLine
    from understudy.run.cloning import Cloning
    from understudy.run.session import Logs, learn_in
    from understudy.run.watch import Told

    demos, env = materials or _materials(config)
    logs = Logs()
    cloning = Cloning(_spec(demos, env), demos, config, logs.note)
    say(args, f"learning from {len(demos)} episodes ({demos.num_steps:,} steps) in {folder.path}")
    line = ProgressLine(config.steps, quiet=args.quiet or args.json)
    logs.takers.append(lambda found: line.see(found["step"], _worth_showing(found)))
    try:
        outcome = learn_in(folder, cloning, logs, [Told(line.see)])
    finally:
        line.close()
    for note in (*folder.notes, *filter(None, [outcome.note])):
        say(args, f"note: {note}")
    if outcome.interrupted:
        say(args, f"stopped at step {outcome.steps}; go on: --resume --run-id {folder.run_id}")
        return _finish(args, folder, outcome, {}, 130)
    if env is None:
        outcome = replace(outcome, folds=judge_in_turn(args, demos, config))
    evaluations = evaluate_all(args, folder, env, against)
    report(args, folder, cloning, demos, outcome, evaluations)
    return _finish(args, folder, outcome, evaluations, 0)


def _config(args: argparse.Namespace) -> BCConfig:
    """The settings that the words, files and options say, the last of them winning."""
    from understudy import settings
    from understudy.run.cloning import BCConfig

    overrides = [word for word in args.words if _is_setting(word)]
    places = [word for word in args.words if not _is_setting(word)]
    demos = [*args.demos, *(p for p in places if Path(p).exists() or _is_path(p))]
    envs = [p for p in places if p not in demos]
    if len(envs) > 1:
        raise ConfigError(f"one environment at a time, found {' and '.join(envs)}")
    base: dict[str, Any] = {"env": envs[0]} if envs else {}
    if demos:
        base["demos"] = demos
    flags = {name: getattr(args, name) for name in ("seed", "steps", "alignment")}
    overrides += [f"{name}={value}" for name, value in flags.items() if value is not None]
    if args.best is not None:
        overrides.append(f"best={_share(args.best)}")
    config = settings.read(BCConfig, base=base, files=args.config, overrides=overrides)
    if not config.demos:
        raise ConfigError(
            f"{config.env or 'learn'}: nothing to learn from; give demonstrations (--demos FILE), "
            "or make some first: understudy record ENV --with scripted -o FILE"
        )
    return config


def _is_setting(word: str) -> bool:
    return "=" in word and not Path(word).exists()


def _is_path(word: str) -> bool:
    """Whether a word that names nothing looks like a file rather than an environment."""
    return word.startswith((".", "/", "~")) or Path(word).suffix.lower() in (".demo", ".npz", ".h5")


def _share(text: str) -> str:
    return str(float(text[:-1]) / 100) if text.endswith("%") and _is_number(text[:-1]) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _resumed(args: argparse.Namespace, folder: RunFolder) -> BCConfig:
    """The settings that the run was begun with; only its number of steps may be another."""
    from understudy import settings
    from understudy.run.cloning import BCConfig

    if args.words or args.demos or args.config or args.best is not None:
        raise ConfigError(
            "--resume goes on with the settings of the run; leave out the environment, the "
            "demonstrations and all settings but --steps, or begin another run"
        )
    overrides = [] if args.steps is None else [f"steps={args.steps}"]
    return settings.read(BCConfig, files=[folder.path / "config.yaml"], overrides=overrides)


def _materials(config: BCConfig) -> tuple[Demos, GymEnv | None]:
    """The demonstrations and the environment, if there is one."""
    from understudy.data.formats.door import load_demos
    from understudy.envs.gym import GymEnv

    env = None if config.env is None else GymEnv(config.env, 1)
    spec = None if env is None else env.behaviors["agent"]
    return load_demos(list(config.demos), alignment=config.alignment, spec=spec), env


def _spec(demos: Demos, env: GymEnv | None) -> Any:
    return demos.spec if env is None else env.behaviors["agent"]


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
