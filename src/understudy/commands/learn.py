"""`understudy learn`: from demonstrations or reward to a policy, with a report."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from understudy.commands.asked import add_settings, asked, differences, kept_config
from understudy.commands.chosen import chosen
from understudy.commands.job import do, prepare
from understudy.commands.options import results, say, whole
from understudy.errors import ConfigError

EPISODES = 20
"""Episodes that a finished run is evaluated on, where there is an environment."""


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "learn",
        help="learn a policy from demonstrations or reward",
        description="Learn from what was shown: in an environment (understudy learn ENV --demos "
        "FILE) a way is chosen and explained, without one (understudy learn FILE) it is cloned. Or "
        "learn from the environment's reward (understudy learn ENV --with ppo), where "
        "demonstrations may help, or from somebody who can be asked (understudy learn ENV "
        "expert=scripted).",
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

    choice = chosen(args)
    if choice is not None:
        args.method = choice.method
    config = _learnable(asked(args), args.words)
    if choice is not None:
        say(args, f"{choice.why} (another way: --with METHOD)", "", to_yaml(config))
    # Everything that can be wrong with what was given is found before a folder is made for it.
    job = prepare(config)
    stem = f"{config.env or Path(config.demos[0]).stem}-{config.method}"
    run_id = free_run_id(args.results, stem) if args.run_id is None else args.run_id
    with RunFolder.create(
        args.results, run_id, to_yaml(config), force=args.force, seed=config.seed
    ) as folder:
        if folder.moved:
            say(args, f"the old run is now {folder.moved}")
        return do(job, args, folder)


def _go_on(args: argparse.Namespace) -> int:
    from understudy import settings
    from understudy.run.folder import RunFolder, find_run
    from understudy.run.methods import length_of

    if args.run_id is None:
        raise ConfigError("--resume: which run? Give --run-id NAME (or latest)")
    if args.force:
        raise ConfigError("--resume goes on and --force starts over: give one of them")
    begun = kept_config(find_run(args.results, args.run_id))
    config = asked(args, begun)
    length = length_of(begun.method)
    same_length = dataclasses.replace(config, **{length: getattr(begun, length)})
    changed = differences(begun, same_length)
    if changed:
        word = "--steps" if length == "steps" else f"{length}=N"
        raise ConfigError(
            f"--resume goes on with the settings that the run was begun with, but there "
            f"{'; '.join(changed)}: leave out what differs (only {word} may be another), or "
            "begin another run"
        )
    job = prepare(config)
    with RunFolder.open(args.results, args.run_id, seed=config.seed) as folder:
        if config != begun:
            folder.put_config(settings.to_yaml(config))
        return do(job, args, folder)


def _learnable(config: Any, words: Sequence[str]) -> Any:
    """The same settings.

    Raises:
        ConfigError: They name nothing to learn from.
    """
    if config.method == "bc" and not config.demos:
        taken = f"'{config.env}' is no file or folder here, so it is taken for an environment; "
        raise ConfigError(
            f"{taken if config.env in words else 'learn: '}there is nothing to learn from: give "
            "demonstrations (--demos FILE), or make some first: understudy record ENV -o FILE; or "
            "let it learn from reward: --with ppo"
        )
    if config.method != "bc" and config.env is None:
        raise ConfigError(f"learn: {config.method} learns by acting: name an environment")
    return config
