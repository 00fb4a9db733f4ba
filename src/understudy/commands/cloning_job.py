"""Behavioral cloning as a job of `understudy learn`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from understudy.commands.finish import evaluate_all, film, shown_in, tell, threshold
from understudy.commands.options import count
from understudy.data.demos import Demos
from understudy.data.formats.door import load_demos
from understudy.envs.gym import GymEnv
from understudy.report.page import predictions, write_report
from understudy.report.progress_line import ProgressLine
from understudy.run.cloned import Cloned
from understudy.run.cloning import BCConfig, Cloning
from understudy.run.evaluate import Evaluation
from understudy.run.folder import RunFolder
from understudy.run.folds import cross_validate
from understudy.run.held_out import HeldOutReport
from understudy.run.metrics import read_metrics
from understudy.run.session import Logs, Outcome


class CloningJob:
    """Clone what was shown. See `Job`."""

    shows: Mapping[str, str] = {
        "loss": "loss",
        "held-out": "held_out/log_prob",
        "accuracy": "held_out/accuracy",
    }

    def __init__(self, config: BCConfig) -> None:
        """Load the demonstrations and make the run.

        Raises:
            ConfigError, DemoError, EnvError: Something cannot be had, or does not fit.
        """
        self.config = config
        self.env = None if config.env is None else GymEnv(config.env, 1)
        spec = None if self.env is None else self.env.behaviors["agent"]
        self.demos = load_demos(list(config.demos), alignment=config.alignment, spec=spec)
        self.logs = Logs()
        self.run = Cloning(spec or self.demos.spec, self.demos, config, self.logs.note)
        steps = count(self.demos.num_steps, "step")
        self.subject = f"from {count(len(self.demos), 'episode')} ({steps})"
        self._folds: HeldOutReport | None = None

    @property
    def cloned(self) -> Cloned:
        """What is known of the policy from held-out episodes."""
        return dataclasses.replace(Cloned.of(self.run), folds=self._folds)

    def notes(self) -> Sequence[str]:
        """See `Job`."""
        return [note for note in [self.run.split.note] if note]

    def report(
        self,
        args: argparse.Namespace,
        folder: RunFolder,
        outcome: Outcome,
        against: Sequence[str],
    ) -> dict[str, Evaluation]:
        """See `Job`. Without an environment several runs judge each other's episodes."""
        if self.env is None:
            self._folds = judge_in_turn(args, self.demos, self.config)
        env_id = None if self.env is None else self.env.env_id
        evaluations = evaluate_all(args, folder, env_id, against)
        if "scripted" not in against:
            evaluations |= shown_in(self.demos, env_id, evaluations)
        cloned, held = self.cloned, self.run.split.held
        solved = threshold(env_id)
        page = write_report(
            folder.path,
            title=f"{self.config.env or Path(self.config.demos[0]).name}, cloned",
            facts=_facts(self.run, self.demos, outcome),
            curves=read_metrics(folder.metrics_path),
            best_step=cloned.best_step,
            offline=cloned.held_out,
            predictions=None if held is None else predictions(self.run.model, held),
            evaluations=evaluations,
            solved=solved,
            film=film(folder, self.config.env),
        )
        tell(args, page, evaluations, solved, cloned.held_out)
        return evaluations

    def to_json(self) -> dict[str, Any]:
        """See `Job`."""
        return self.cloned.to_json()


def judge_in_turn(args: argparse.Namespace, demos: Demos, config: BCConfig) -> HeldOutReport | None:
    """Every episode judged by a policy that has not learned from it; see `cross_validate`."""
    line = ProgressLine(config.held_out.folds, args.quiet or args.json, label="check", unit="folds")
    try:
        found = cross_validate(demos.spec, demos, config, lambda fold, folds: line.see(fold - 1))
        line.see(line.total)
        return found
    finally:
        line.close()


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
