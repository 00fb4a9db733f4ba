"""What is done when learning is over: play, report, and say the most of it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from understudy.commands.options import count, say
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.envs.gym import GymEnv
from understudy.errors import EnvError
from understudy.presets import EVALUATION_SEED, evaluate
from understudy.report.film import film_episode
from understudy.report.page import predictions, write_report
from understudy.report.progress_line import ProgressLine
from understudy.report.standing import DEMONSTRATIONS
from understudy.report.tables import offline_table, print_table
from understudy.report.told import print_judged, print_played
from understudy.report.verdict import judge
from understudy.run.cloning import BCConfig, Cloning
from understudy.run.evaluate import Evaluation
from understudy.run.files import make_folders
from understudy.run.folder import RunFolder
from understudy.run.folds import cross_validate
from understudy.run.held_out import HeldOutReport
from understudy.run.metrics import read_metrics
from understudy.run.policy import Policy
from understudy.run.session import Outcome

WHO = {"scripted": "expert", "random": "random"}
"""What the report calls those who play beside the policy."""


def judge_in_turn(args: argparse.Namespace, demos: Demos, config: BCConfig) -> HeldOutReport | None:
    """Every episode judged by a policy that has not learned from it; see `cross_validate`."""
    line = ProgressLine(config.held_out.folds, args.quiet or args.json, label="check", unit="folds")
    try:
        found = cross_validate(demos.spec, demos, config, lambda fold, folds: line.see(fold - 1))
        line.see(line.total)
        return found
    finally:
        line.close()


def evaluate_all(
    args: argparse.Namespace, folder: RunFolder, env: GymEnv | None, against: Sequence[str]
) -> dict[str, Evaluation]:
    """The policy by its likeliest actions and by drawn ones, and others, on the same starts.

    Returns:
        By name; empty where there is no environment.
    """
    if env is None or not args.episodes:
        return {}
    policy = Policy.load(folder.policy)
    players: dict[str, tuple[Any, bool]] = {
        "learned (deterministic)": (policy, True),
        "learned (sampled)": (policy, False),
        **{WHO[word]: (word, True) for word in against},
    }
    found = {}
    for name, (who, likeliest) in players.items():
        say(args, f"playing {count(args.episodes, 'episode')}: {name}")
        found[name] = evaluate(who, env.env_id, episodes=args.episodes, deterministic=likeliest)
    return found


def shown_in(
    demos: Demos, env: GymEnv | None, evaluations: Mapping[str, Evaluation]
) -> dict[str, Evaluation]:
    """What the demonstrations themselves brought, to compare with, where it is known.

    Returns:
        By name; empty where nobody was evaluated, the demonstrations are of another environment,
        or no episode with rewards was recorded to its end.
    """
    if env is None or not evaluations or demos.provenance.env_id != env.env_id:
        return {}
    over = np.array([e.end in (End.TERMINATED, End.TRUNCATED) for e in demos], bool)
    returns = np.asarray(demos.returns, np.float64)
    known = over & np.isfinite(returns)
    if not known.any():
        return {}
    return {DEMONSTRATIONS: Evaluation(returns[known], np.asarray(demos.lengths)[known])}


def report(
    args: argparse.Namespace,
    folder: RunFolder,
    cloning: Cloning,
    demos: Demos,
    outcome: Outcome,
    evaluations: dict[str, Evaluation],
) -> None:
    """Write the report, and say the most of it."""
    held = cloning.split.held
    page = write_report(
        folder.path,
        title=f"{cloning.config.env or Path(cloning.config.demos[0]).name}, cloned",
        facts=_facts(cloning, demos, outcome),
        curves=read_metrics(folder.metrics_path),
        best_step=outcome.best_step,
        offline=outcome.held_out,
        predictions=None if held is None else predictions(cloning.model, held),
        evaluations=evaluations,
        film=_film(folder, cloning.config.env),
    )
    if args.quiet or args.json:
        return
    if evaluations:
        print()
        print_played(evaluations)
    if outcome.held_out is not None:
        verdict = judge(outcome.held_out, evaluated=bool(evaluations))
        print()
        print_judged("On held-out demonstrations", verdict.headline, verdict)
        print()
        print_table(offline_table(outcome.held_out))
    print(f"\nreport: {page}")


def _film(folder: RunFolder, env: str | None) -> Path | None:
    """An episode of the policy; None where the environment has no pictures."""
    if env is None:
        return None
    # Without a window there is nothing that SDL could complain of on the terminal.
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        stage = GymEnv(env, 1, render_mode="rgb_array")
    except EnvError:
        return None
    actor, fps = Policy.load(folder.policy).actor(), stage.render_fps or 30.0
    make_folders(folder.report)
    with closing(stage):
        try:
            return film_episode(stage, actor, folder.report / "film.webp", EVALUATION_SEED, fps=fps)
        except EnvError:
            return None


def _facts(cloning: Cloning, demos: Demos, outcome: Outcome) -> dict[str, str]:
    config = cloning.config
    return {
        "demonstrations": f"{', '.join(config.demos)} ({count(len(demos), 'episode')}, "
        f"{count(demos.num_steps, 'step')})",
        "pairing of actions": f"{demos.provenance.alignment}: {demos.provenance.reason}"
        if demos.provenance.alignment
        else "as recorded",
        "sees and does": cloning.spec.describe(),
        "environment": config.env or "none",
        "seed": str(config.seed),
        "updates": f"{outcome.steps:,}",
        "learning took": f"{outcome.cpu_seconds:.1f} CPU-seconds",
        "understudy": version("understudy"),
    }
