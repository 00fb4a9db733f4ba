"""What is done when learning is over: play, report, and say the most of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from understudy.commands.options import count, say
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.envs.gym import GymEnv
from understudy.errors import EnvError
from understudy.presets import EVALUATION_SEED, evaluate
from understudy.report.film import film_episode, off_screen
from understudy.report.page import write_report
from understudy.report.standing import DEMONSTRATIONS
from understudy.report.tables import offline_table, print_table
from understudy.report.told import print_judged, print_played
from understudy.report.verdict import judge
from understudy.run.evaluate import Evaluation
from understudy.run.files import make_folders
from understudy.run.folder import RunFolder
from understudy.run.held_out import HeldOutReport
from understudy.run.metrics import read_metrics
from understudy.run.policy import Policy
from understudy.run.reinforcement import AVERAGE

WHO = {"scripted": "expert", "random": "random"}
"""What the report calls those who play beside the policy."""


def evaluate_all(
    args: argparse.Namespace, folder: RunFolder, env_id: str | None, against: Sequence[str]
) -> dict[str, Evaluation]:
    """The policy by its likeliest actions and by drawn ones, and others, on the same starts.

    Returns:
        By name; empty where there is no environment.
    """
    if env_id is None or not args.episodes:
        return {}
    policy = Policy.load(folder.policy)
    players: dict[str, tuple[Any, bool]] = {
        "learned (deterministic)": (policy, True),
        "learned (sampled)": (policy, False),
    }
    if (folder.path / AVERAGE).is_dir():
        players["average (deterministic)"] = Policy.load(folder.path / AVERAGE), True
    players |= {WHO[word]: (word, True) for word in against}
    found = {}
    for name, (who, likeliest) in players.items():
        say(args, f"playing {count(args.episodes, 'episode')}: {name}")
        found[name] = evaluate(who, env_id, episodes=args.episodes, deterministic=likeliest)
    return found


def shown_in(
    demos: Demos, env_id: str | None, evaluations: Mapping[str, Evaluation]
) -> dict[str, Evaluation]:
    """What the demonstrations themselves brought, to compare with, where it is known.

    Returns:
        By name; empty where nobody was evaluated, the demonstrations are of another environment,
        or no episode with rewards was recorded to its end.
    """
    if not evaluations or demos.provenance.env_id != env_id:
        return {}
    over = np.array([e.end in (End.TERMINATED, End.TRUNCATED) for e in demos], bool)
    returns = np.asarray(demos.returns, np.float64)
    known = over & np.isfinite(returns)
    if not known.any():
        return {}
    return {DEMONSTRATIONS: Evaluation(returns[known], np.asarray(demos.lengths)[known])}


def threshold(env_id: str | None) -> float | None:
    """The mean return from which on an environment calls its task solved; None if it says none."""
    import gymnasium

    spec = gymnasium.registry.get(env_id or "")
    return None if spec is None else spec.reward_threshold


def conclude(
    args: argparse.Namespace,
    folder: RunFolder,
    env_id: str,
    title: str,
    facts: Mapping[str, str],
    evaluations: dict[str, Evaluation],
) -> None:
    """Write the report of a run that acted, and say the most of it.

    Args:
        args: Has `quiet` and `json`.
        folder: The run's, with its policy and metrics.
        env_id: Where it acted.
        title: What the run was about.
        facts: Names and values to list.
        evaluations: Who brought what, by name.
    """
    solved = threshold(env_id)
    page = write_report(
        folder.path,
        title=title,
        facts=facts,
        curves=read_metrics(folder.metrics_path),
        evaluations=evaluations,
        solved=solved,
        film=film(folder, env_id),
    )
    tell(args, page, evaluations, solved)


def tell(
    args: argparse.Namespace,
    page: Path,
    evaluations: dict[str, Evaluation],
    solved: float | None,
    held_out: HeldOutReport | None = None,
) -> None:
    """Say the most of a report."""
    if args.quiet or args.json:
        return
    if evaluations:
        print()
        print_played(evaluations, solved=solved)
    if held_out is not None:
        verdict = judge(held_out, evaluated=bool(evaluations))
        print()
        print_judged("On held-out demonstrations", verdict.headline, verdict)
        print()
        print_table(offline_table(held_out))
    print(f"\nreport: {page}")


def film(folder: RunFolder, env: str | None) -> Path | None:
    """An episode of the policy; None where the environment has no pictures."""
    if env is None:
        return None
    off_screen()
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
