"""`understudy pipeline`: train an expert, let it demonstrate, clone it, compare them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from understudy.commands.options import RESULTS, answer, positive, results, say, whole
from understudy.errors import ConfigError

if TYPE_CHECKING:
    from understudy.commands.pipeline_stages import Pipeline, PipelineConfig

EPISODES = 100
SETTINGS = ("env", "expert", "expert_steps", "demos", "min_return", "steps", "seed")
"""Arguments that are settings of the same names; unsaid they are None."""


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "pipeline",
        help="train an expert, record it, clone it and compare them, in one go",
        description="Train an expert or take one, record demonstrations of it, clone them, and "
        "evaluate expert, clone and chance on the same starts. Everything lies below the run's "
        "folder, which is the clone's run; interrupted, it goes on where it stopped.",
    )
    verb.add_argument("env", nargs="?", metavar="ENV", help="Gymnasium id, or module:id")
    verb.add_argument(
        "--expert",
        metavar="WHO",
        help="ppo (default) or sac, which learn first; scripted; or a run's folder or id",
    )
    verb.add_argument(
        "--expert-steps", type=positive, metavar="N", help="of the environment to learn for"
    )
    verb.add_argument("--demos", type=positive, metavar="N", help="episodes to record (20)")
    verb.add_argument(
        "--min-return", type=float, metavar="R", help="record only episodes that bring so much"
    )
    verb.add_argument(
        "--sampled",
        action="store_true",
        help="record drawn actions; by default the likeliest ones, which do the task better",
    )
    verb.add_argument("--steps", type=positive, metavar="N", help="updates of the clone (4000)")
    verb.add_argument("--seed", type=whole, metavar="N", help="of everything random (0)")
    verb.add_argument(
        "--episodes",
        type=positive,
        default=EPISODES,
        metavar="N",
        help=f"to evaluate each on ({EPISODES})",
    )
    verb.add_argument("--resume", action="store_true", help="go on with the pipeline --run-id")
    verb.add_argument("--force", action="store_true", help="start over; the old run is kept aside")
    results(verb, run_id=True)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Go through all stages, or on with those that are left."""
    return _go_on(args) if args.resume else _begin(args)


def _begin(args: argparse.Namespace) -> int:
    from understudy.commands.pipeline_stages import PLAN, Pipeline, check, clone_config
    from understudy.run.files import write_whole
    from understudy.run.folder import RunFolder, free_run_id
    from understudy.settings import to_yaml

    if args.env is None:
        raise ConfigError("pipeline: where? Name an environment")
    plan = _planned(args, {})
    check(plan, args.results)
    stem = f"{plan.env}-pipeline"
    run_id = free_run_id(args.results, stem) if args.run_id is None else args.run_id
    clone = to_yaml(clone_config(plan, args.results / run_id))
    with RunFolder.create(args.results, run_id, clone, force=args.force, seed=plan.seed) as folder:
        if folder.moved:
            say(args, f"the old run is now {folder.moved}")
        write_whole(folder.path / PLAN, to_yaml(plan).encode())
        return _do(Pipeline(plan, args, folder))


def _go_on(args: argparse.Namespace) -> int:
    from understudy import settings
    from understudy.commands.asked import differences
    from understudy.commands.pipeline_stages import PLAN, Pipeline, PipelineConfig
    from understudy.run.folder import RunFolder, find_run

    if args.run_id is None:
        raise ConfigError("--resume: which pipeline? Give --run-id NAME (or latest)")
    if args.force:
        raise ConfigError("--resume goes on and --force starts over: give one of them")
    path = find_run(args.results, args.run_id)
    if not (path / PLAN).exists():
        raise ConfigError(f"{path}: is no pipeline; understudy learn --resume goes on with it")
    begun = settings.read(PipelineConfig, files=[path / PLAN])
    if changed := differences(begun, _planned(args, settings.as_tree(begun))):
        raise ConfigError(
            f"--resume goes on with the settings that the pipeline was begun with, but there "
            f"{'; '.join(changed)}: leave out what differs, or begin another"
        )
    with RunFolder.open(args.results, args.run_id, seed=begun.seed) as folder:
        return _do(Pipeline(begun, args, folder))


def _planned(args: argparse.Namespace, begun: dict[str, Any]) -> PipelineConfig:
    """What the arguments ask for, on top of what was begun with."""
    from understudy import settings
    from understudy.commands.pipeline_stages import PipelineConfig

    said = {name: getattr(args, name) for name in SETTINGS if getattr(args, name) is not None}
    said |= {"sampled": True} if args.sampled else {}
    return settings.read(PipelineConfig, base={**begun, **said})


def _do(pipeline: Pipeline) -> int:
    """All stages; what is there already is not made again.

    Raises:
        KeyboardInterrupt: Somebody stopped it where nothing heeds signals; says how to go on.
    """
    args, path = pipeline.args, pipeline.folder.path
    elsewhere = "" if args.results == RESULTS else f" --results {args.results}"
    onward = f"go on: understudy pipeline --resume --run-id {path.name}{elsewhere}"
    try:
        say(args, "1/4 the expert")
        if not pipeline.expert():
            return _stopped(pipeline, "expert", onward)
        say(args, "2/4 its demonstrations")
        demos = pipeline.demonstrations()
        say(args, "3/4 the clone")
        job, outcome = pipeline.clone()
        if outcome.interrupted:
            return _stopped(pipeline, "clone", onward)
        say(args, "4/4 all of them")
        played = pipeline.comparison(job, outcome, demos)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(onward) from None
    if args.json:
        evaluations = {name: e.summary() for name, e in played.items()}
        known = {**outcome.to_json(), **job.to_json()}
        shown = {"episodes": len(demos), "steps": demos.num_steps}
        shown |= {"mean_return": float(demos.returns.mean())}
        told = {"expert": pipeline.plan.expert, "demonstrations": shown, **known}
        answer({"run": str(path), **told, "evaluations": evaluations})
    return 0


def _stopped(pipeline: Pipeline, stage: str, onward: str) -> int:
    say(pipeline.args, f"stopped; {onward}")
    if pipeline.args.json:
        answer({"run": str(pipeline.folder.path), "stage": stage, "stopped": "interrupted"})
    return 130
